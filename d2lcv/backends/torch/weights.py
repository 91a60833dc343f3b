"""Reaching the weights of a PyTorch net; its layout is the canonical one."""

from dataclasses import dataclass

import torch

__all__ = ["Slot", "export", "manual_seed", "slots"]


def manual_seed(n):
    torch.manual_seed(n)


@dataclass
class Slot:
    """One tensor of a net, read and written as a NumPy array in the canonical layout."""

    tensor: torch.Tensor

    @property
    def shape(self):
        return tuple(self.tensor.shape)

    def get(self):
        return self.tensor.detach().cpu().float().numpy().copy()

    def put(self, array):
        with torch.no_grad():
            self.tensor.copy_(torch.from_numpy(array))


def slots(net):
    # the count of batches seen is torch's own and has no use with a fixed momentum
    return {
        name: Slot(tensor)
        for name, tensor in net.state_dict(keep_vars=True).items()
        if not name.endswith("num_batches_tracked")
    }


def export(net, path, X):
    training = net.training
    batch = torch.export.Dim("batch")
    try:
        program = torch.export.export(net.eval(), (X,), dynamic_shapes=({0: batch},))
    finally:
        net.train(training)
    torch.export.save(program, f"{path}.pt2")
    return f"{path}.pt2"
