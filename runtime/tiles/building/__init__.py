"""From a map to a cache: windows are cut, judged, embedded block by block, and kept so that a killed build goes on.

    spec           what a user may choose, and the one fingerprint of a build
    command        ``python -m runtime.tiles build``
    build          the whole way: blocks -> rows -> cache
    workspace      the folder of an unfinished build
    embed_block    one block: its windows cut, judged and embedded
    window_cutter  windows cut from a raster that neighbours share
    window_filter  what a window shows the encoder, or why it is left out
    block_file     a block's rows as bytes with their hash
    threads        blocks embedded by threads of this machine
    ray_cluster    blocks embedded by a Ray cluster

Not called ``build``: many tools leave folders of that name out.
"""
