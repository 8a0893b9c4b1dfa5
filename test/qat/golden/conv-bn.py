"""Golden values for test/qat/live-norm.test.ts: a few SGD steps of PyTorch's ConvBnReLU2d, weights fake-quantized or not.

python3 test/qat/golden/conv-bn.py > test/qat/golden/conv-bn.json   (PyTorch 1.13)
"""
import json

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.ao.quantization import FakeQuantize, PerChannelMinMaxObserver, QConfig
from torch.nn.intrinsic.qat.modules.conv_fused import ConvBnReLU2d, freeze_bn_stats

CHANNELS, CLASSES, BATCH, STEPS, FREEZE, LR, MOMENTUM = 2, 4, 4, 5, 3, 0.05, 0.9


def numbers(tensor):
    return [float(f"{float(x):.9g}") for x in tensor.detach().flatten()]


def run(quantized):
    torch.manual_seed(7)
    weights = FakeQuantize.with_args(
        observer=PerChannelMinMaxObserver, quant_min=-7, quant_max=7, dtype=torch.qint8, qscheme=torch.per_channel_symmetric
    )
    layer = ConvBnReLU2d(
        CHANNELS, CLASSES, 3, padding=1, bias=False, eps=1e-5, momentum=0.1, qconfig=QConfig(activation=nn.Identity, weight=weights)
    )
    with torch.no_grad():
        layer.weight.copy_(torch.randn(layer.weight.shape) * 0.4)
        layer.bn.weight.copy_(torch.rand(CLASSES) + 0.5)
        layer.bn.bias.copy_(torch.randn(CLASSES) * 0.3)
        layer.bn.running_mean.copy_(torch.randn(CLASSES) * 0.2)
        layer.bn.running_var.copy_(torch.rand(CLASSES) + 0.7)
    batches = [torch.round(torch.randn(BATCH, CHANNELS, 4, 4) * 150 + 30) / 100 for _ in range(STEPS)]
    labels = [torch.randint(CLASSES, (BATCH,)) for _ in range(STEPS)]

    fake = layer.weight_fake_quant
    fake.disable_observer()
    scaled = layer.weight * (layer.bn.weight / torch.sqrt(layer.bn.running_var + layer.bn.eps)).reshape(-1, 1, 1, 1)
    # Above the largest weight, so that training does not leave the range, at whose ends gradients are masked differently.
    scales = scaled.detach().abs().flatten(1).max(1).values * 1.3 / 7
    fake.scale.resize_(CLASSES).copy_(scales)
    fake.zero_point.resize_(CLASSES).zero_()
    if not quantized:
        fake.disable_fake_quant()

    state = lambda: {
        "weight": numbers(layer.weight),
        "gamma": numbers(layer.bn.weight),
        "beta": numbers(layer.bn.bias),
        "mean": numbers(layer.bn.running_mean),
        "variance": numbers(layer.bn.running_var),
    }
    before = state()
    optimizer = torch.optim.SGD(layer.parameters(), lr=LR, momentum=MOMENTUM)
    layer.train()
    after, losses = [], []
    for step in range(STEPS):
        if step == FREEZE:
            layer.apply(freeze_bn_stats)
        optimizer.zero_grad()
        loss = F.cross_entropy(layer(batches[step]).mean((2, 3)), labels[step])
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
        after.append(state())
    layer.eval()
    evaluated = layer(batches[0]).mean((2, 3))
    return {
        "scales": numbers(scales),
        "before": before,
        "batches": [numbers(batch) for batch in batches],
        "labels": [label.tolist() for label in labels],
        "losses": losses,
        "after": after,
        "evaluated": numbers(evaluated),
    }


print(json.dumps({"freeze": FREEZE, "lr": LR, "momentum": MOMENTUM, "float": run(False), "quantized": run(True)}))
