"""Golden values of torch.optim for test/qat/optimizers.test.ts. Run once: python3 optimizers.py > optimizers.json"""
import json
import torch

torch.set_default_dtype(torch.float64)
start = [0.5, -1.25, 2.0, 0.0]
gradients = [[0.1, -0.2, 0.3, 0.05], [-0.05, 0.4, 0.3, -0.1], [0.2, 0.1, -0.6, 0.0], [0.0, -0.3, 0.25, 0.7]]
cases = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    "sgd nesterov with decay": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.8, nesterov=True, weight_decay=0.01),
    "adam with decay": lambda p: torch.optim.Adam(p, lr=0.05, weight_decay=0.01),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.05, weight_decay=0.1),
}
out = {}
for name, make in cases.items():
    w = torch.nn.Parameter(torch.tensor(start))
    optimizer = make([w])
    steps = []
    for g in gradients:
        w.grad = torch.tensor(g)
        optimizer.step()
        steps.append(w.detach().tolist())
    out[name] = steps
losses = {}
z = torch.tensor([[2.0, -1.0, 0.5], [0.25, 1.5, -0.75]], requires_grad=True)
t = torch.tensor([[1.0, 0.5, -0.5], [0.0, 2.0, 0.25]])
y = torch.tensor([0, 2])
F = torch.nn.functional
def record(name, loss):
    (g,) = torch.autograd.grad(loss, z)
    losses[name] = {"loss": loss.item(), "gradient": g.flatten().tolist()}
record("ce", F.cross_entropy(z, y))
record("ce smoothed", F.cross_entropy(z, y, label_smoothing=0.1))
record("kl", F.kl_div(F.log_softmax(z, 1), F.softmax(t, 1), reduction="batchmean"))
record("kl at 3", 9 * F.kl_div(F.log_softmax(z / 3, 1), F.softmax(t / 3, 1), reduction="batchmean"))
record("mse", (((z - t) ** 2).sum(1) / (t ** 2).sum(1)).mean())
print(json.dumps({"start": start, "gradients": gradients, "optimizers": out, "losses": losses, "logits": z.flatten().tolist(), "teacher": t.flatten().tolist(), "labels": y.tolist()}, indent=1))
