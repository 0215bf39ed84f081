"""How far a map lies from where it should, by recorded flights whose GNSS somebody trusts: ``runtime.tiles align``.

residuals     where GNSS had the drone and where the map put it, frame by frame
fit           one vector that explains them, or why there is none
picture       the residuals, drawn
commands      flies the flights, writes the cache anew
"""
