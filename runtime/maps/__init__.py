"""Maps and terrain models as people have them, read into one form: an MBTiles file and a lattice of heights.

    importing     GeoTIFF, MBTiles, PMTiles, XYZ folder -> one MBTiles file
    georeference  where a GeoTIFF lies on the Web Mercator map, and whether that can be
    mbtiles       writes MBTiles files
    pmtiles       reads PMTiles files
    mosaic        several maps as one
    imagery       reads square windows of an MBTiles file: all that flies of this room, with heights
    dem           a terrain model -> heights
    heights       heights of a cache's ground, and the terrain about a place

A map goes through ``importing`` (and ``mosaic``) once, when a cache is built; then ``imagery`` reads it.
"""
