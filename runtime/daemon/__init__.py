"""The loop on the aircraft: camera -> fixes, for ever.

settings  ``skyfix.toml``
loop      each frame is located, counted and sent
"""
