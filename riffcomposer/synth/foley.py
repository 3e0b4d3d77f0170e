"""Synthesised everyday sounds (foley): rain, sea, typing, crowds, fire and others, and record noise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from riffcomposer.scipy_signal import signal
from riffcomposer.synth.voices import SAMPLE_RATE, Audio

_Sound = npt.NDArray[np.float64]
_Rng = np.random.Generator


def _t(n: int) -> _Sound:
    return np.arange(n) / SAMPLE_RATE


def _filter(audio: _Sound, kind: str, hz: float | tuple[float, float], order: int = 1) -> _Sound:
    return signal.sosfilt(signal.butter(order, hz, kind, fs=SAMPLE_RATE, output="sos"), audio)


def _pink(n: int, g: _Rng) -> _Sound:
    """Noise that falls by 3 dB per octave (Kellet's filter)."""
    return 4 * signal.lfilter(
        [0.049922, -0.095993, 0.050612, -0.004408], [1, -2.494956, 2.017265, -0.5221894], g.standard_normal(n)
    )


def _slow(n: int, period_s: float, g: _Rng) -> _Sound:
    """A smooth random curve between 0 and 1."""
    knots = g.uniform(0, 1, int(n / SAMPLE_RATE / period_s) + 3)
    return np.interp(np.arange(n), np.arange(len(knots)) * period_s * SAMPLE_RATE, knots)


def _scatter(n: int, rate_hz: float, g: _Rng) -> npt.NDArray[np.int64]:
    return np.sort(g.integers(0, n, g.poisson(rate_hz * n / SAMPLE_RATE)))


def _place(n: int, places: npt.NDArray[np.int64], sound: Callable[[], _Sound]) -> _Sound:
    out = np.zeros(n)
    for at in places:
        one = sound()[: n - at]
        out[at : at + len(one)] += one
    return out


def _burst(seconds: float, low: float, high: float, g: _Rng) -> _Sound:
    n = int(seconds * SAMPLE_RATE)
    return _filter(g.standard_normal(n), "band", (low, high)) * np.exp(-6.9 * np.arange(n) / n)


def _blip(seconds: float, centre_hz: float, g: _Rng) -> _Sound:
    return _burst(seconds, centre_hz * 0.8, centre_hz * 1.25, g)


def _rain(n: int, g: _Rng) -> _Sound:
    drops = np.zeros(n)
    drops[_scatter(n, g.uniform(200, 900), g)] = g.uniform(0.5, 3)
    return (
        0.35 * _filter(g.standard_normal(n), "high", 1500) * (0.8 + 0.2 * _slow(n, 1.0, g))
        + _filter(drops, "band", (1500, 9000)) * 3
    )


def _sea(n: int, g: _Rng) -> _Sound:
    swell = _slow(n, g.uniform(1.8, 3.0), g) ** 2
    return _pink(n, g) * (0.1 + swell) + 0.3 * _filter(g.standard_normal(n), "high", 2500) * swell**2


def _wind(n: int, g: _Rng) -> _Sound:
    gust, out = _slow(n, 1.2, g), np.zeros(n)
    noise = g.standard_normal(n)
    for centre, shift in ((350, 0.0), (700, 0.3), (1200, 0.6)):
        out += _filter(noise, "band", (centre * 0.8, centre * 1.2), 2) * np.clip(gust - shift * 0.8, 0, 1)
    return 3 * out


def _vinyl(n: int, g: _Rng) -> _Sound:
    clicks = np.zeros(n)
    places = _scatter(n, g.uniform(8, 30), g)
    clicks[places] = g.standard_normal(len(places)) * g.exponential(1.0, len(places))
    hum = 0.01 * np.sin(2 * np.pi * 50 * _t(n))
    return 2.0 * _filter(clicks, "band", (800, 7000)) + 0.03 * _pink(n, g) + hum


def _typing(n: int, g: _Rng) -> _Sound:
    gaps = g.gamma(3.0, g.uniform(0.035, 0.06), 400)
    at = (np.cumsum(gaps) * SAMPLE_RATE).astype(np.int64)
    return _place(
        n,
        at[at < n],
        lambda: g.uniform(0.4, 1) * (_burst(0.05, 1800, 6000, g) + 0.7 * _burst(0.05, 180, 700, g)),
    )


def _crowd(n: int, g: _Rng) -> _Sound:
    out = np.zeros(n)
    for _ in range(12):
        formant = g.uniform(300, 900)
        voice = signal.sawtooth(
            2 * np.pi * np.cumsum(g.uniform(95, 220) * (1 + 0.15 * _slow(n, 0.25, g))) / SAMPLE_RATE
        )
        syllables = np.clip(_slow(n, g.uniform(0.1, 0.2), g) - 0.4, 0, 1)
        out += _filter(voice + 0.3 * g.standard_normal(n), "band", (formant, formant * 2.2)) * syllables
    return out


def _applause(n: int, g: _Rng) -> _Sound:
    claps = np.zeros(n)
    places = _scatter(n, g.uniform(150, 500), g)
    claps[places] = g.uniform(0.2, 1, len(places))
    envelope = np.exp(-np.arange(1400) / 260) * g.standard_normal(1400)
    return _filter(signal.fftconvolve(claps, envelope)[:n], "band", (700, 5000))


def _fire(n: int, g: _Rng) -> _Sound:
    cracks = _place(
        n,
        _scatter(n, g.uniform(8, 20), g),
        lambda: g.exponential(0.8) * _burst(g.uniform(0.004, 0.03), 900, 8000, g),
    )
    return 0.25 * _filter(_pink(n, g), "low", 500) * (0.6 + 0.4 * _slow(n, 0.3, g)) + 2 * cracks


def _birds(n: int, g: _Rng) -> _Sound:
    def chirp() -> _Sound:
        length = int(g.uniform(0.05, 0.18) * SAMPLE_RATE)
        t = np.arange(length) / length
        pitch = g.uniform(2200, 5200) * (
            1 + g.uniform(-0.3, 0.3) * t + 0.08 * np.sin(2 * np.pi * g.uniform(2, 8) * t)
        )
        one = np.sin(2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE) * np.sin(np.pi * t)
        gap = np.zeros(int(g.uniform(0.02, 0.09) * SAMPLE_RATE))
        return g.uniform(0.2, 1) * np.concatenate([one, gap] * int(g.integers(1, 6)))

    return _place(n, _scatter(n, 1.8, g), chirp) + 0.02 * _pink(n, g)


def _clock(n: int, g: _Rng) -> _Sound:
    step = int(SAMPLE_RATE * g.choice([0.5, 0.64, 1.0]))
    out = np.zeros(n)
    for count, at in enumerate(range(int(g.integers(0, step)), n, step)):
        one = _burst(0.03, 1500 if count % 2 else 2200, 5500, g)[: n - at]
        out[at : at + len(one)] += one
    return out + 0.01 * _pink(n, g)


def _heartbeat(n: int, g: _Rng) -> _Sound:
    period = int(SAMPLE_RATE * g.uniform(0.7, 1.1))
    t = np.arange(int(0.2 * SAMPLE_RATE)) / SAMPLE_RATE
    thump = np.sin(2 * np.pi * (55 + 40 * np.exp(-t / 0.02)) * t) * np.exp(-t / 0.05)
    out = np.zeros(n + 2 * period)
    for at in range(0, n, period):
        out[at : at + len(thump)] += thump
        second = at + int(0.28 * SAMPLE_RATE)
        out[second : second + len(thump)] += 0.7 * thump
    return out[:n] + 0.004 * _pink(n, g)


def _train(n: int, g: _Rng) -> _Sound:
    period = int(SAMPLE_RATE * g.uniform(0.55, 0.9))
    out = 0.3 * _filter(_pink(n, g), "low", 900)
    for at in range(0, n, period):
        for lag in (0, 0.11, 0.26, 0.37):
            place = at + int(lag * SAMPLE_RATE)
            one = _burst(0.09, 150, 2500, g)[: max(0, n - place)]
            out[place : place + len(one)] += one
    return out


def _thunder(n: int, g: _Rng) -> _Sound:
    out = 0.1 * _rain(n, g)
    for at in _scatter(n, 0.3, g)[:4].tolist() or [n // 4]:
        length = n - at
        t = np.arange(length) / SAMPLE_RATE
        out[at:] += (
            6 * _filter(_pink(length, g), "low", 180, 2) * np.exp(-t / 1.3) * (0.3 + _slow(length, 0.15, g))
        )
    return out


def _footsteps(n: int, g: _Rng) -> _Sound:
    period, out = int(SAMPLE_RATE * g.uniform(0.45, 0.62)), 0.004 * _pink(n, g)
    for at in range(int(g.integers(0, period)), n, period):
        place = min(n - 1, max(0, at + int(g.normal(0, 500))))
        one = (_burst(0.08, 120, 900, g) + 0.5 * _burst(0.08, 1500, 6000, g))[: n - place]
        out[place : place + len(one)] += one
    return out


def _drops(n: int, g: _Rng) -> _Sound:
    def drop() -> _Sound:
        t = np.arange(int(0.09 * SAMPLE_RATE)) / SAMPLE_RATE
        f = g.uniform(500, 1600)
        return (
            g.uniform(0.3, 1)
            * np.sin(2 * np.pi * np.cumsum(f * (1 + t * g.uniform(4, 10))) / SAMPLE_RATE)
            * np.exp(-t / 0.02)
        )

    return _place(n, _scatter(n, g.uniform(3, 9), g), drop) + 0.006 * _pink(n, g)


def _engine(n: int, g: _Rng) -> _Sound:
    speed = g.uniform(28, 60) * (1 + 0.3 * _slow(n, 1.5, g))
    return _filter(
        signal.sawtooth(2 * np.pi * np.cumsum(speed) / SAMPLE_RATE) * (0.7 + 0.3 * g.standard_normal(n)),
        "low",
        1200,
    ) + 0.05 * _pink(n, g)


def _static(n: int, g: _Rng) -> _Sound:
    return g.standard_normal(n) * (0.7 + 0.3 * _slow(n, 0.2, g))


def _siren(n: int, g: _Rng) -> _Sound:
    base, period = g.uniform(500, 800), g.uniform(1.0, 2.6)
    wave = (
        np.sin(2 * np.pi * _t(n) / period)
        if g.random() < 0.6
        else np.sign(np.sin(2 * np.pi * _t(n) / period))
    )
    tone = np.sin(2 * np.pi * np.cumsum(base * (1 + 0.35 * wave)) / SAMPLE_RATE)
    return np.tanh(2 * tone) + 0.02 * _pink(n, g)


def _crickets(n: int, g: _Rng) -> _Sound:
    out = 0.01 * _pink(n, g)
    for _ in range(3):
        carrier = np.sin(2 * np.pi * g.uniform(3800, 5200) * _t(n))
        trill = np.clip(np.sin(2 * np.pi * g.uniform(22, 34) * _t(n)), 0, 1)
        chirp = np.clip(np.sin(2 * np.pi * g.uniform(1.2, 2.6) * _t(n) + g.uniform(0, 6)), 0, 1) > 0.3
        out += g.uniform(0.3, 1) * carrier * trill * chirp
    return out


def _laser(n: int, g: _Rng) -> _Sound:
    def zap() -> _Sound:
        t = np.arange(int(g.uniform(0.15, 0.4) * SAMPLE_RATE)) / SAMPLE_RATE
        return np.sin(
            2 * np.pi * np.cumsum(200 + g.uniform(2000, 5000) * np.exp(-t / 0.07)) / SAMPLE_RATE
        ) * np.exp(-t / 0.12)

    return _place(n, _scatter(n, 2.2, g), zap) + 0.003 * _pink(n, g)


def _telephone(n: int, g: _Rng) -> _Sound:
    tone = np.sin(2 * np.pi * 440 * _t(n)) + np.sin(2 * np.pi * 480 * _t(n))
    bell = 0.5 + 0.5 * np.sign(np.sin(2 * np.pi * 20 * _t(n)))
    return tone * bell * ((_t(n) % 2.56) < 1.3) + 0.003 * _pink(n, g)


def _stream(n: int, g: _Rng) -> _Sound:
    bubbles = _place(
        n,
        _scatter(n, 60, g),
        lambda: 0.25 * _blip(0.03, g.uniform(400, 2500), g),
    )
    return 0.4 * _filter(_pink(n, g), "high", 500) + 2 * bubbles


SOUNDS: dict[str, Callable[[int, _Rng], _Sound]] = {
    "rain": _rain,
    "sea waves": _sea,
    "sea": _sea,
    "wind": _wind,
    "air": lambda n, g: _filter(_pink(n, g), "high", 900) * (0.4 + 0.6 * _slow(n, 1.5, g)),
    "vinyl crackle": _vinyl,
    "vinyl": _vinyl,
    "typing": _typing,
    "crowd": _crowd,
    "applause": _applause,
    "fire": _fire,
    "birds": _birds,
    "clock": _clock,
    "heartbeat": _heartbeat,
    "train": _train,
    "thunder": _thunder,
    "footsteps": _footsteps,
    "water drops": _drops,
    "engine": _engine,
    "static noise": _static,
    "siren": _siren,
    "crickets": _crickets,
    "laser": _laser,
    "telephone": _telephone,
    "stream": _stream,
}


def render_foley(name: str, samples: int, generator: np.random.Generator) -> Audio:
    """Makes one of `SOUNDS` with a root mean square of 0.1.

    Returns:
        Audio float32 [samples].
    """
    sound = SOUNDS[name](samples, generator)
    return (0.1 * sound / (float(np.sqrt(np.mean(sound**2))) + 1e-9)).astype(np.float32)
