"""Parameter groups and optimizers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from mgpt_tui.model.gpt import GPT
from training.config import OptimizerSettings
from training.step.muon import BatchedMuon


class Optimizers:
    """AdamW, alone or with Muon for the matrices inside the blocks, as one optimizer.

    AdamW: Loshchilov and Hutter, "Decoupled Weight Decay Regularization" (2019). Muon: Jordan
    et al. (2024), with the update scaled to AdamW's size after Liu et al., "Muon is Scalable
    for LLM Training" (2025).

    Weight decay pulls on matrices only: on embeddings and weights, never on norms and biases.
    """

    def __init__(self, model: GPT, settings: OptimizerSettings, device: torch.device) -> None:
        hidden, matrices, vectors = split_parameters(model)
        self.parts: list[torch.optim.Optimizer] = []
        decayed = matrices
        if settings.optimizer == "muon":
            muon = BatchedMuon if device.type == "cuda" else torch.optim.Muon
            self.parts.append(
                muon(
                    hidden,
                    lr=settings.matrix_learning_rate,
                    weight_decay=settings.weight_decay,
                    adjust_lr_fn="match_rms_adamw",
                )
            )
        else:
            decayed = hidden + matrices
        self.parts.append(
            torch.optim.AdamW(
                [
                    {"params": decayed, "weight_decay": settings.weight_decay},
                    {"params": vectors, "weight_decay": 0.0},
                ],
                lr=settings.learning_rate,
                betas=(settings.beta1, settings.beta2),
                fused=device.type in ("cpu", "cuda"),
            )
        )
        for part in self.parts:
            for group in part.param_groups:
                group["peak_lr"] = group["lr"]

    def set_learning_rate(self, factor: float) -> None:
        """Set every group to `factor` times its peak."""
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = group["peak_lr"] * factor

    def zero_grad(self) -> None:
        """Drop all gradients."""
        for part in self.parts:
            part.zero_grad(set_to_none=True)

    def tensors(self) -> dict[str, Tensor]:
        """The whole state as named tensors, for safetensors."""
        return {
            f"{index}.{parameter}.{key}": torch.as_tensor(value).detach().cpu().contiguous()
            for index, part in enumerate(self.parts)
            for parameter, state in part.state_dict()["state"].items()
            for key, value in state.items()
        }

    def load_tensors(self, tensors: dict[str, Tensor]) -> None:
        """The inverse of `tensors`.

        Raises:
            KeyError, ValueError: where the tensors belong to other optimizers.
        """
        states: list[dict[int, dict[str, Any]]] = [{} for _ in self.parts]
        for name, tensor in tensors.items():
            index, parameter, key = name.split(".", 2)
            if int(index) not in range(len(states)):
                raise ValueError(f"there is no optimizer {int(index)}")
            states[int(index)].setdefault(int(parameter), {})[key] = tensor
        for part, state in zip(self.parts, states, strict=True):
            parameters = [weight for group in part.param_groups for weight in group["params"]]
            _check_state(parameters, state)
            part.load_state_dict(
                {"state": state, "param_groups": part.state_dict()["param_groups"]}
            )


def _check_state(parameters: list[Tensor], state: dict[int, dict[str, Tensor]]) -> None:
    """Raise ValueError where tensors are missing or of another shape."""
    keys = {frozenset(tensors) for tensors in state.values()}
    if state and (len(keys) > 1 or sorted(state) != list(range(len(parameters)))):
        raise ValueError("the optimizer's state is not complete")
    for index, tensors in state.items():
        for key, tensor in tensors.items():
            if tensor.dim() and tensor.shape != parameters[index].shape:
                raise ValueError(f"the optimizer's {key} has another shape than its parameter")


def split_parameters(
    model: GPT,
) -> tuple[list[nn.Parameter], list[nn.Parameter], list[nn.Parameter]]:
    """The matrices inside the blocks, the other matrices (embeddings), and all vectors."""
    hidden, matrices, vectors = [], [], []
    for name, parameter in model.named_parameters():
        if parameter.dim() < 2:
            vectors.append(parameter)
        elif name.startswith("blocks."):
            hidden.append(parameter)
        else:
            matrices.append(parameter)
    return hidden, matrices, vectors
