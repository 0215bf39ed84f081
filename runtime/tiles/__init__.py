"""The tile cache: embeddings of a map's windows with their places, in one file, and the imagery beside it.

    cache     opens a cache, checked at once or piece by piece
    metadata  what a cache states of itself
    format    the bytes: quantises rows, writes the file
    windows   the one grid of windows for the whole Earth
    search    cosines of a query with every row
    nearby    which rows lie near a place
    crop, merge, sign, verify, info, coverage   what one does with a finished cache
    options   defaults of ``build``, which ``--help`` shows
    commands  the library calls behind ``python -m runtime.tiles``, but for ``build``
    building/ from a map to a cache

``building`` cuts windows, embeds them and hands rows to ``format``; ``cache`` maps the file that comes of it, and
``search`` reads its rows.
"""
