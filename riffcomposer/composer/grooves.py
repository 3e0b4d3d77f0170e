"""Drum patterns as step strings.

A step string covers one bar (4/4 unless named otherwise) in equal steps; its length says how fine
they are (16 for sixteenths, 12 or 24 for triplets). `X` accent, `x` normal, `o` soft, `g` ghost,
`?` now and then, `.` rest. A groove may have several bars: then each drum has a tuple of strings.
"""

from __future__ import annotations

from collections.abc import Mapping

# Pitches of the General MIDI drum map; the synthesised kits use the same numbers.
DRUMS = {
    "kick": 36,
    "snare": 38,
    "rim": 37,
    "clap": 39,
    "snare2": 40,
    "hat": 42,
    "pedal": 44,
    "open": 46,
    "ride": 51,
    "bell": 53,
    "crash": 49,
    "splash": 55,
    "china": 52,
    "tom1": 50,
    "tom2": 47,
    "tom3": 43,
    "shaker": 70,
    "cabasa": 69,
    "tamb": 54,
    "conga_hi": 63,
    "conga_mute": 62,
    "conga_lo": 64,
    "bongo_hi": 60,
    "bongo_lo": 61,
    "clave": 75,
    "block_hi": 76,
    "block_lo": 77,
    "cowbell": 56,
    "agogo_hi": 67,
    "agogo_lo": 68,
    "guiro": 73,
    "triangle": 81,
    "timbale_hi": 65,
    "timbale_lo": 66,
}

BACKBEAT = (DRUMS["snare"], DRUMS["rim"], DRUMS["clap"])
"""What a backbeat is played on."""

TRIPLE_GROOVES = ("swing", "brushes", "shuffle", "jig")
"""Grooves that are written in triplets, so that they swing as they are."""

Groove = Mapping[str, str | tuple[str, ...]]

GROOVES: dict[str, list[Groove]] = {
    "boom bap": [
        {
            "kick": ("X......x..X.....", "X......x..X..x.."),
            "snare": "....X.......X..g",
            "hat": "x.o.x.o.x.o.x.o.",
        },
        {
            "kick": ("X..x......Xx....", "X.........X..x.."),
            "snare": "....X..g.g..X...",
            "hat": "x.xox.x.x.xox.x.",
        },
        {
            "kick": "X.....x...X.....",
            "rim": "....X.......X...",
            "hat": "x.o.x.o.x.o.x.o?",
            "open": "..............?.",
        },
        {
            "kick": ("X.x.......X.....", "X.x....x..X....."),
            "snare": "....X.......X...",
            "shaker": "o.x.o.x.o.x.o.x.",
        },
    ],
    "house": [
        {
            "kick": "X...X...X...X...",
            "open": "..x...x...x...x.",
            "clap": "....X.......X...",
            "hat": "ogogogogogogogog",
        },
        {
            "kick": "X...X...X...X...",
            "hat": "..X...X...X...X.",
            "clap": "....X.......X..?",
            "shaker": "o.oxo.oxo.oxo.ox",
        },
        {
            "kick": ("X...X...X...X...", "X...X...X...X.x."),
            "open": "..X...X...X...X.",
            "rim": "...o..o....o..o.",
            "clap": "....X.......X...",
        },
        {
            "kick": "X...X...X...X...",
            "hat": "x.xxx.xxx.xxx.xx",
            "snare": "....x.......x...",
            "tamb": "..x...x...x...x.",
        },
    ],
    "techno": [
        {
            "kick": "X...X...X...X...",
            "hat": "..X...X...X...X.",
            "clap": "....x.......x...",
            "rim": "...o......o..o..",
        },
        {"kick": "X...X...X...X...", "hat": "ogxgogxgogxgogxg", "open": "..x...x...x...x."},
        {
            "kick": "X...X...X...X..?",
            "ride": "..x...x...x...x.",
            "hat": "oooooooooooooooo",
            "tom3": "...o..o...o..o..",
        },
        {
            "kick": "X...X...X...X...",
            "cowbell": "...o..o.....o...",
            "hat": "..X...X...X...X.",
            "snare": "....o..g....o...",
        },
    ],
    "gated": [
        {"kick": "X.......X.......", "snare": "....X.......X...", "hat": "x.x.x.x.x.x.x.x."},
        {"kick": "X.....x.X.......", "snare": "....X.......X...", "hat": "xoxoxoxoxoxoxoxo"},
        {"kick": "X...X...X...X...", "snare": "....X.......X...", "hat": "..x...x...x...x."},
        {
            "kick": ("X.......X.x.....", "X.......X......."),
            "snare": ("....X.......X...", "....X.......X.XX"),
            "open": "..x...x...x...x.",
            "tom1": "..............?.",
        },
    ],
    "swing": [
        {"ride": "x..x.xx..x.x", "pedal": "...x.....x..", "kick": "?.....?.....", "snare": ".....g..?..g"},
        {"ride": "X..x.xX..x.x", "pedal": "...x.....x..", "snare": "..?.....g...", "kick": "o..o..o..o.."},
        {"ride": "x..x..x..x.x", "pedal": "...x.....x..", "rim": ".........o..", "kick": ".....?......"},
    ],
    "brushes": [
        {"snare": "o..x.oo..x.o", "pedal": "...x.....x..", "ride": "o..o.oo..o.o"},
        {"snare": "o.ox.oo.ox.o", "pedal": "...x.....x..", "kick": "o.....o....."},
    ],
    "bossa": [
        {
            "kick": "x..xx..xx..xx..x",
            "rim": "x..x..x...x..x..",
            "hat": "oxooxoooxoooxooo",
            "shaker": "o.xoo.xoo.xoo.xo",
        },
        {"kick": "x..xx..xx..xx..x", "rim": "..x...x..x..x...", "shaker": "xoxoxoxoxoxoxoxo"},
    ],
    "folk": [
        {"tom3": "X...o.x.X...o.x.", "tamb": "....x.......x..."},
        {"kick": "x.......x.......", "snare": "..o.x.o...o.x.oo", "tamb": "..o...o...o...o."},
        {"snare": "o.o.x.o.o.o.x.oo", "kick": "x...x...x...x..."},
    ],
    "jig": [
        {"tom3": "X.oo.ox.oo.o", "tamb": "...x.....x.."},
        {"tom3": "X.ox.oX.ox.o"},
    ],
    "waltz": [
        {"kick": "x...........", "rim": "....o...o...", "hat": "o.o.o.o.o.o."},
        {"kick": "x...........", "snare": "....o...o...", "ride": "x...x.o.x.o."},
    ],
    "orchestral": [
        {"tom3": "X.......o.x.....", "crash": "?..............."},
        {"tom3": "X..x..x.X...x.x.", "snare": "x.xxx.xxx.xxxxxx"},
        {"tom3": "X.....x.X.......", "triangle": "....o.......o...", "tamb": "....?.......?..."},
    ],
    "funk": [
        {
            "kick": "X.x...x...x..x..",
            "snare": "....X..g.g..X..g",
            "hat": "x.xox.xox.xox.x.",
            "open": "..............x.",
        },
        {
            "kick": ("X..x......x..x..", "X.x.......xx...."),
            "snare": ".g..X..g.g.gX.gg",
            "hat": "xoxoxoxoxoxoxoxo",
        },
        {
            "kick": "X..X..X...x.....",
            "snare": "....X..g....X...",
            "hat": "xxxxxxxxxxxxxxxx",
            "open": ".......x........",
        },
        {
            "kick": "X.....X.X.X.....",
            "snare": "....X..g.g..X..g",
            "tamb": "..x...x...x...x.",
            "hat": "x.x.x.x.x.x.x.x.",
        },
    ],
    "one drop": [
        {
            "kick": "........X.......",
            "rim": "........X.......",
            "hat": "x.o.x.o.x.o.x.o.",
            "open": "..............?.",
        },
        {"kick": "X...X...X...X...", "rim": "........X.......", "hat": "..x...x...x...x."},
        {
            "kick": "X.......X.......",
            "snare": "........X..o....",
            "hat": "x.x.x.x.x.x.x.xo",
            "conga_hi": "......o..o......",
        },
        {"kick": "........X.......", "snare": "........X......?", "hat": "xoxoxoxoxoxoxoxo"},
    ],
    "breaks": [
        {"kick": "X.........X.....", "snare": "....X..g.g..X..g", "hat": "x.x.x.x.x.x.x.x."},
        {
            "kick": ("X.X.......XX....", "X.........X..x.."),
            "snare": ("....X..g.g..X..g", "....X..g.g....X."),
            "ride": "x.x.x.x.x.x.x.x.",
        },
        {
            "kick": "X.....X.....X...",
            "snare": "....X..gg..gX.g.",
            "hat": "xoxxxoxxxoxxxoxx",
            "shaker": "..x...x...x...x.",
        },
        {
            "kick": "X.........X.....",
            "snare": "....X.......X...",
            "open": "..x...x...x...x.",
            "hat": "oooooooooooooooo",
        },
    ],
    "rock": [
        {"kick": "X.......X.x.....", "snare": "....X.......X...", "hat": "x.x.x.x.x.x.x.x."},
        {"kick": "X......xX.......", "snare": "....X.......X...", "ride": "x.x.x.x.x.x.x.x."},
        {
            "kick": ("X.x.....X.x.....", "X.x.....X...x.x."),
            "snare": "....X.......X...",
            "open": "x.x.x.x.x.x.x.x.",
        },
        {"kick": "X.....x.X.x.....", "snare": "....X.......X..g", "hat": "X.x.X.x.X.x.X.x."},
    ],
    "metal": [
        {"kick": "XxXxXxXxXxXxXxXx", "snare": "....X.......X...", "china": "X...X...X...X..."},
        {"kick": "X..X..X.X..X..X.", "snare": "....X.......X...", "ride": "x...x...x...x..."},
        {"kick": "X.X.X.X.X.X.X.X.", "snare": "..X...X...X...X.", "hat": "x.x.x.x.x.x.x.x."},
    ],
    "shuffle": [
        {"kick": "X.....X....o", "snare": "...X.....X..", "hat": "x.xx.xx.xx.x"},
        {"kick": "X....xX.....", "snare": "...X.o...X.g", "ride": "x.xx.xx.xx.x"},
    ],
    "chip": [
        {"kick": "X.......X.......", "snare": "....X.......X...", "hat": "x.x.x.x.x.x.x.x."},
        {"kick": "X..x..x.X..x..x.", "snare": "....X.......X.xx", "hat": "oooooooooooooooo"},
        {"kick": "X...X...X...X...", "snare": "....X.......X...", "hat": "..x...x...x...x."},
    ],
    "son": [
        {
            "clave": ("x..x..x.........", "....x...x......."),
            "conga_hi": "....x.......x...",
            "conga_lo": "............x.x.",
            "conga_mute": "o.oo..oo..oo....",
            "cowbell": "x...x.x.x...x.x.",
        },
        {
            "clave": "x..x..x...x.x...",
            "conga_hi": "..x...x...x...x.",
            "conga_lo": "......xx......xx",
            "shaker": "xoxoxoxoxoxoxoxo",
            "kick": "x.....x.x.....x.",
        },
        {
            "timbale_hi": "x.xxx.xxx.xxx.xx",
            "cowbell": "x.o.x.o.x.o.x.o.",
            "conga_lo": "......xx......xx",
            "conga_hi": "..x.......x.....",
            "kick": "......x.......x.",
        },
        {
            "guiro": "x.oox.oox.oox.oo",
            "bongo_hi": "xoxoxoxoxoxoxoxo",
            "bongo_lo": "............x.x.",
            "clave": "..x.x.....x..x..",
        },
    ],
    "afro": [
        {
            "agogo_hi": "x..x..x...x..x..",
            "agogo_lo": "......x.......x.",
            "shaker": "xoxoxoxoxoxoxoxo",
            "kick": "X.....x.X.....x.",
            "conga_lo": "...x..x....x..x.",
            "conga_hi": "x...x...x...x...",
        },
        {
            "cowbell": "x.x.xx.x.x.x",
            "shaker": "x.ox.ox.ox.o",
            "conga_lo": "..x..x..x..x",
            "conga_hi": "x....x.x....",
            "kick": "X.....X.....",
        },
        {
            "kick": "X..x..x.X..x..x.",
            "snare": "...x..x....x..x.",
            "hat": "x.xxx.xxx.xxx.xx",
            "shaker": "xoxoxoxoxoxoxoxo",
            "block_hi": "x..x..x...x.x...",
        },
    ],
    "reggaeton": [
        {"kick": "X...X...X...X...", "snare": "...x..x....x..x.", "hat": "x.x.x.x.x.x.x.x."},
    ],
    "trap": [
        {
            "kick": ("X......x..X.....", "X.....x.......x."),
            "snare": "........X.......",
            "hat": "x.x.x.x.x.xxx.x.",
            "open": "..............?.",
        },
        {
            "kick": ("X..x......x.....", "X.....X..x......"),
            "clap": "........X.......",
            "hat": "x.x.xxx.x.x.x.xx",
        },
    ],
    "disco": [
        {
            "kick": "X...X...X...X...",
            "snare": "....X.......X...",
            "open": "..x...x...x...x.",
            "tamb": "xoxoxoxoxoxoxoxo",
        },
        {
            "kick": "X...X...X...X...",
            "snare": "....X.......X..g",
            "hat": "xxoxxxoxxxoxxxox",
            "conga_hi": "..o..o..o..o.o..",
        },
    ],
}
