# SPDX-License-Identifier: Apache-2.0
"""Keras callbacks: schedules for any hyperparameter of an optimizer, and kernel metrics on the JAX backend."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal

import keras
from keras import ops

from qnn_hw import context
from qnn_hw.errors import QnnError

__all__ = ["HyperparameterScheduler", "KernelMetrics"]


def _sync(model: Any) -> None:
    """Bring the variables up to date: on JAX `fit` carries them along by itself between two steps."""
    if hasattr(model, "jax_state_sync"):
        model.jax_state_sync()


class HyperparameterScheduler(keras.callbacks.Callback):
    """Sets a hyperparameter of an optimizer before each epoch or each step.

        bop = Bop(threshold=1e-6, gamma=1e-3)
        optimizer = CaseOptimizer((Bop.is_binary_variable, bop), default_optimizer=keras.optimizers.Adam(0.01))
        model.compile(optimizer, ...)
        model.fit(..., callbacks=[HyperparameterScheduler(lambda epoch: 1e-3 * 0.1 ** (epoch // 30), "gamma", bop)])

    Args:
        schedule: `schedule(t)` or `schedule(t, value)` gives the new value; `t` counts epochs or the optimizer's steps
            from 0, `value` is the present value, a float. What takes two arguments gets two.
        hyperparameter: name of the optimizer's attribute, for example "gamma" or "learning_rate".
        optimizer: whose hyperparameter it is; `None` for the model's own optimizer.
        update_freq: "epoch" or "step".
        verbose: 1 to print each new value, 0 not to.
        log_name: name in the logs at the end of each epoch; `None` for that of the hyperparameter. Needed to tell two
            schedules of the same hyperparameter apart.

    Raises:
        QnnError: for another `update_freq`; when the training begins: if the optimizer has no such hyperparameter, or
            not as a variable (a number inside a compiled step, or a schedule of its own, cannot be changed).
    """

    def __init__(
        self,
        schedule: Callable[..., Any],
        hyperparameter: str,
        optimizer: Any = None,
        update_freq: Literal["epoch", "step"] = "epoch",
        verbose: int = 0,
        log_name: str | None = None,
    ) -> None:
        super().__init__()
        if update_freq not in ("epoch", "step"):
            raise QnnError(f'HyperparameterScheduler: update_freq={update_freq!r}; allowed are "epoch" and "step".')
        self.schedule = schedule
        self.hyperparameter = hyperparameter
        self.optimizer = optimizer
        self.update_freq = update_freq
        self.verbose = verbose
        self.log_name = hyperparameter if log_name is None else log_name
        self._wants_value = _takes_two(schedule)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Check that the hyperparameter can be set."""
        self._variable()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Called by Keras."""
        if self.update_freq == "epoch":
            self._set(epoch, "Epoch", epoch + 1)

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Called by Keras; `batch` starts anew in each epoch, so the optimizer's own count is taken."""
        if self.update_freq == "step":
            _sync(self.model)
            step = int(ops.convert_to_numpy(self._owner().iterations))
            self._set(step, "Step", step)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Log the value of the epoch's last step."""
        if logs is not None:
            logs[self.log_name] = self._value()

    def _owner(self) -> Any:
        """The optimizer; the model's own one without the loss scaling that mixed precision wraps around it."""
        if self.optimizer is not None:
            return self.optimizer
        optimizer = self.model.optimizer
        return optimizer.inner_optimizer if isinstance(optimizer, keras.optimizers.LossScaleOptimizer) else optimizer

    def _variable(self) -> Any:
        """The variable that holds the hyperparameter."""
        owner = self._owner()
        variable = getattr(owner, self.hyperparameter, None)
        if not isinstance(variable, keras.Variable):
            found = "no such attribute" if variable is None else f"{type(variable).__name__}, not a variable"
            raise QnnError(
                f"HyperparameterScheduler: {self.hyperparameter} of {owner.name} is {found}; name a hyperparameter "
                "that the optimizer keeps as a variable and that has no schedule of its own, such as learning_rate."
            )
        return variable

    def _value(self) -> float:
        return float(ops.convert_to_numpy(self._variable()))

    def _set(self, t: int, what: str, shown: int) -> None:
        """Put the schedule's value for time `t` in place."""
        value = self.schedule(t, self._value()) if self._wants_value else self.schedule(t)
        self._variable().assign(float(ops.convert_to_numpy(value)))
        if self.verbose > 0:
            print(f"{what} {shown}: {self.log_name} is now {self._value():g}.")


class KernelMetrics(keras.callbacks.Callback):
    """Records the metrics of all kernel quantizers after each training step, where the model cannot itself.

    Needed on the JAX backend alone, where Keras drops what metrics record inside a model's `call`; on other backends it
    does nothing. It reads the kernels back after every step, which costs time.
    """

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Quantize every kernel that has metrics once more; that records them."""
        if keras.backend.backend() != "jax":
            return
        _sync(self.model)
        with context.quantized_scope(True):
            for layer in self.model._flatten_layers():
                for weight in getattr(layer, "weight_roles", ()):
                    if getattr(layer.weight_quantizer(weight), "metrics", None):
                        getattr(layer, weight)


def _takes_two(schedule: Callable[..., Any]) -> bool:
    """Whether `schedule(t, value)` is a possible call."""
    try:
        inspect.signature(schedule).bind(0, 0.0)
    except (TypeError, ValueError):  # the latter: a builtin that does not tell
        return False
    return True
