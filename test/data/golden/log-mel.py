"""Golden values of log-mel spectrograms: spectra by torch.stft in float64, mel filters by numpy after librosa.filters.mel.

Run once: python3 test/data/golden/log-mel.py > test/data/golden/log-mel.json (torch 1.13, numpy). Tests read the JSON alone.
"""
import json
import numpy as np
import torch


def hz_to_mel(hz, scale):
    if scale == "htk":
        return 2595.0 * np.log10(1.0 + hz / 700.0)
    return np.where(hz >= 1000.0, 15.0 + np.log(np.maximum(hz, 1e-9) / 1000.0) / (np.log(6.4) / 27.0), hz * 3.0 / 200.0)


def mel_to_hz(mel, scale):
    if scale == "htk":
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    return np.where(mel >= 15.0, 1000.0 * np.exp(np.log(6.4) / 27.0 * (mel - 15.0)), mel * 200.0 / 3.0)


def filters(rate, fft, mel, fmin, fmax, scale, norm):
    edges = mel_to_hz(np.linspace(hz_to_mel(np.array(fmin), scale), hz_to_mel(np.array(fmax), scale), mel + 2), scale)
    ramps = edges[:, None] - np.fft.rfftfreq(fft, 1.0 / rate)[None, :]
    widths = np.diff(edges)
    weights = np.maximum(0, np.minimum(-ramps[:-2] / widths[:-1, None], ramps[2:] / widths[1:, None]))
    return weights * (2.0 / (edges[2:] - edges[:-2]))[:, None] if norm == "slaney" else weights


def spectrogram(clip, o):
    window = {"hann": torch.hann_window, "hamming": torch.hamming_window}.get(o["window"])
    shape = window(o["win"], dtype=torch.float64) if window else torch.ones(o["win"], dtype=torch.float64)
    mode = {"reflect": "reflect", "zero": "constant", "none": "reflect"}[o["center"]]
    bins = torch.stft(torch.tensor(clip), o["fft"], o["hop"], o["win"], shape, o["center"] != "none", mode, return_complex=True)
    power = bins.abs().numpy() ** o["power"]
    if o["last"] == "drop":
        power = power[:, :-1]
    energy = filters(o["rate"], o["fft"], o["mel"], o["fmin"], o["fmax"], o["scale"], o["norm"]) @ power
    floored = np.maximum(energy, o["floor"])
    if o["log"] == "ln":
        result = np.log(floored)
    elif o["log"] == "db":
        result = 10.0 * np.log10(floored)
    elif o["log"] == "log10":
        result = np.log10(floored)
    elif o["log"] == "whisper":
        result = np.log10(floored)
        result = (np.maximum(result, result.max() - 8.0) + 4.0) / 4.0
    else:
        result = energy
    return (result - o["mean"]) / o["std"]


base = dict(window="hann", center="reflect", last="keep", scale="slaney", norm="slaney", fmin=0, power=2, floor=1e-10, mean=0, std=1)
cases = {
    "whisper": dict(base, rate=16000, mel=80, fft=400, win=400, hop=160, fmax=8000, log="whisper", last="drop"),
    "whisper large-v3": dict(base, rate=16000, mel=128, fft=400, win=400, hop=160, fmax=8000, log="whisper", last="drop"),
    "librosa": dict(base, rate=22050, mel=32, fft=512, win=512, hop=128, fmax=11025, log="db", center="zero"),
    "torchaudio": dict(base, rate=16000, mel=23, fft=400, win=400, hop=200, fmax=8000, log="none", scale="htk", norm="none"),
    "window in the middle": dict(base, rate=16000, mel=24, fft=512, win=401, hop=160, fmin=20, fmax=7600, log="ln", center="none",
                                 window="hamming", power=1, scale="htk", norm="none", floor=1e-3, mean=-4.5, std=2),
    "odd and prime": dict(base, rate=8000, mel=10, fft=211, win=211, hop=97, fmax=4000, log="log10", window="none"),
}
time = np.arange(1600)
# Loud, a sweep, then silence: the floor and Whisper's 8 decades are met.
clip = np.sin(time**2 * 4e-4) * np.where(time < 900, 0.5, 0.0) + np.where(time < 700, 0.01, 1e-7) * np.random.default_rng(0).standard_normal(1600)
clip = clip.astype(np.float32)
out = {name: dict(options=o, values=np.round(spectrogram(clip.astype(np.float64), o), 7).tolist()) for name, o in cases.items()}
print(json.dumps(dict(clip=[float(f"{x:.9g}") for x in clip], cases=out)))
