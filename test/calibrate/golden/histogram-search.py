"""
Golden ranges for test/calibrate/golden.test.ts from PyTorch's own HistogramObserver (torch 1.13), on the tensors of observers.py.

torch 1.13 truncates the ends of the interval to integers when it fills the histogram (histc with int(min_val), int(max_val)),
which loses elements; later versions do not. The histogram is therefore filled here, and the observer's search runs on it.

    python histogram-search.py > histogram-search.json
"""
import json

import torch
from torch.ao.quantization.observer import HistogramObserver

from observers import tensors

golden = {}
for name, values in tensors().items():
    x = torch.from_numpy(values).float()
    observer = HistogramObserver(dtype=torch.quint8, reduce_range=False)
    observer.min_val, observer.max_val = torch.aminmax(x)
    observer.histogram = torch.histc(x, observer.bins, min=observer.min_val.item(), max=observer.max_val.item())
    assert observer.histogram.sum() == x.numel()
    low, high = observer._non_linear_param_search()
    golden[name] = [low.item(), high.item()]
print(json.dumps(golden))
