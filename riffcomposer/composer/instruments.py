"""Instruments: General MIDI presets and synthesised voices, with the words people use for them.

Conventions: `low` and `high` bound the written range (MIDI pitch); `gain_db` evens out how loud
the presets are against each other; `register` says what an instrument can do in an arrangement.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Instrument:
    """A playable sound.

    Attributes:
        name: Its key, also the plainest word for it.
        words: What captions call it.
        program: General MIDI preset (0..127), or -1 for the synthesised voice named `voice`.
        low, high: Range in MIDI pitch.
        sustained: Whether a note holds its level (bowed, blown, synthesised).
        family: keys, mallets, bells, organ, guitar, bass, strings, brass, reeds, winds, synth lead,
            pad, choir, plucked, world, effect.
        voice: A key of `synth.voices.VOICES`, or empty.
        gain_db: Loudness correction.
    """

    name: str
    words: tuple[str, ...]
    program: int
    low: int
    high: int
    sustained: bool
    family: str
    voice: str = ""
    gain_db: float = 0.0


def _table() -> dict[str, Instrument]:
    rows = [line.split("|") for line in _PRESETS.strip().splitlines()]
    found: dict[str, Instrument] = {}
    for program, words, low, high, hold, family in rows:
        names = tuple(word.strip() for word in words.split(","))
        number = program.strip()
        is_voice = not number.isdigit()
        found[names[0]] = Instrument(
            names[0],
            names,
            -1 if is_voice else int(number),
            int(low),
            int(high),
            hold.strip() == "s",
            family.strip(),
            voice=number if is_voice else "",
        )
    return found


# program or own voice | words | low | high | s(ustained) or d(ecaying) | family
_PRESETS = """
0|piano, grand piano, acoustic piano|36|88|d|keys
1|bright piano, piano|36|88|d|keys
2|electric grand piano|40|84|d|keys
3|honky-tonk piano, saloon piano|40|84|d|keys
4|electric piano, rhodes, tine piano|40|84|d|keys
5|fm electric piano, dx7 electric piano, 80s electric piano|40|84|d|keys
6|harpsichord|41|86|d|keys
7|clavinet, funky clav|40|77|d|keys
8|celesta|60|96|d|mallets
9|glockenspiel|72|100|d|mallets
10|music box|60|96|d|mallets
11|vibraphone, vibes|53|89|d|mallets
12|marimba|45|88|d|mallets
13|xylophone|65|98|d|mallets
14|tubular bells, church bells|53|79|d|bells
15|dulcimer, hammered dulcimer|52|84|d|plucked
16|hammond organ, organ, jazz organ|40|84|s|organ
17|percussive organ|40|84|s|organ
18|rock organ, organ|40|84|s|organ
19|church organ, pipe organ, cathedral organ|36|84|s|organ
20|reed organ, harmonium|40|80|s|organ
21|accordion|53|84|s|organ
22|harmonica|60|84|s|reeds
23|bandoneon, tango accordion|53|84|s|organ
24|nylon guitar, classical guitar, spanish guitar|40|78|d|guitar
25|acoustic guitar, steel string guitar|40|78|d|guitar
26|jazz guitar|40|78|d|guitar
27|clean electric guitar, electric guitar|40|80|d|guitar
28|muted guitar, palm muted guitar, funk guitar|40|72|d|guitar
29|overdriven guitar, electric guitar|40|84|s|guitar
30|distorted guitar, heavy guitar, distortion guitar|40|84|s|guitar
31|guitar harmonics|52|84|d|guitar
32|upright bass, acoustic bass, double bass pizzicato|28|55|d|bass
33|electric bass, fingered bass, bass guitar|28|55|d|bass
34|picked bass, bass guitar|28|55|d|bass
35|fretless bass|28|55|d|bass
36|slap bass, funky slap bass|28|55|d|bass
38|synth bass|28|55|s|bass
39|analog synth bass, synth bass|28|55|s|bass
40|violin, fiddle|55|96|s|strings
41|viola|48|84|s|strings
42|cello|36|74|s|strings
43|double bass, bowed bass|28|55|s|strings
44|tremolo strings|40|84|s|strings
45|pizzicato strings, plucked strings|40|88|d|strings
46|harp|36|96|d|plucked
47|timpani, kettle drums|36|57|d|percussion
48|strings, string orchestra, string section|36|88|s|strings
49|slow strings, strings|36|88|s|strings
50|synth strings|40|88|s|pad
52|choir, choir aahs, choral voices|48|79|s|choir
53|voice oohs, vocal oohs, wordless vocals|48|79|s|choir
54|synth voice, synth choir|48|79|s|choir
56|trumpet|55|86|s|brass
57|trombone|40|72|s|brass
58|tuba|29|55|s|brass
59|muted trumpet|55|84|s|brass
60|french horn, horn|41|77|s|brass
61|brass section, horn section, brass|43|84|s|brass
62|synth brass|43|84|s|synth lead
64|soprano saxophone, soprano sax|56|87|s|reeds
65|alto saxophone, saxophone, alto sax|49|80|s|reeds
66|tenor saxophone, saxophone, tenor sax|44|76|s|reeds
67|baritone saxophone, baritone sax|37|69|s|reeds
68|oboe|58|91|s|reeds
69|english horn|52|81|s|reeds
70|bassoon|34|72|s|reeds
71|clarinet|50|91|s|reeds
72|piccolo|74|103|s|winds
73|flute|60|96|s|winds
74|recorder|60|96|s|winds
75|pan flute, panpipes|60|96|s|winds
76|bottle blow, blown bottle|60|96|s|winds
77|shakuhachi, bamboo flute|55|84|s|winds
78|whistle, tin whistle, whistling|62|96|s|winds
79|ocarina|60|91|s|winds
80|square lead, square wave synth|48|91|s|synth lead
81|saw lead, sawtooth synth, synth lead|48|91|s|synth lead
82|calliope lead|55|91|s|synth lead
84|charang lead|48|86|s|synth lead
87|bass and lead|36|84|s|synth lead
88|new age pad, synth pad|40|84|s|pad
89|warm pad, synth pad|40|84|s|pad
90|polysynth, poly synth pad|40|84|s|pad
91|choir pad, vocal pad|45|84|s|pad
92|bowed glass pad, glass pad|45|84|s|pad
93|metallic pad|40|84|s|pad
94|halo pad|40|84|s|pad
95|sweep pad|40|84|s|pad
98|crystal synth, crystal bells|52|93|d|pad
99|atmosphere synth, atmosphere pad|48|84|d|pad
104|sitar|45|79|d|world
105|banjo|48|84|d|guitar
106|shamisen|50|82|d|world
107|koto|48|86|d|world
108|kalimba, thumb piano, mbira|52|86|d|world
109|bagpipes, pipes|55|82|s|world
110|country fiddle, fiddle|55|96|s|strings
111|shehnai|52|82|s|world
112|tinkle bell|60|91|d|bells
114|steel drums, steel pan|52|86|d|world
115|woodblock|60|84|d|percussion
supersaw|supersaw, supersaw synth, trance synth|45|88|s|synth lead
acid|acid bass, 303 bass, acid synth|28|60|s|bass
reese|reese bass, growling bass|26|50|s|bass
sub|sub bass, deep sub bass|26|50|s|bass
sawbass|saw bass, analog bass, moog bass|26|52|s|bass
fmbass|fm bass, dx7 bass|28|55|d|bass
pulse12|chip pulse lead, 8-bit lead, pulse wave|50|96|s|chip
pulse25|8-bit pulse, chiptune lead, pulse wave|45|91|s|chip
pulse50|square wave, chiptune square, 8-bit square|45|91|s|chip
triangle|triangle bass, chip bass, 8-bit bass|28|60|s|chip
fmbell|fm bell, glassy bell, dx7 bell|55|93|d|bells
churchbell|bronze bell, church bell, bell|45|74|d|bells
glide|gliding synth lead, portamento lead, theremin|50|86|s|synth lead
analogpad|analog pad, warm analog pad, synth pad|40|82|s|pad
airpad|airy pad, breathy pad, ambient pad|45|86|s|pad
drone|drone, dark drone, ambient drone|24|55|s|pad
pluck|synth pluck, plucky synth|48|91|d|synth lead
stringmachine|string machine, vintage string synth|43|84|s|pad
karplus|plucked string, folk guitar, acoustic guitar|40|82|d|guitar
organtone|drawbar organ, electric organ, organ|40|84|s|organ
"""

INSTRUMENTS = _table()


def by_family(*families: str) -> list[str]:
    """Names of the instruments of some families, in the table's order."""
    return [name for name, each in INSTRUMENTS.items() if each.family in families]
