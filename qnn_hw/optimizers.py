# SPDX-License-Identifier: Apache-2.0
"""Optimizers for networks that hold binary weights beside float ones.

`Bop` trains binary weights without latent ones; every other variable needs an ordinary optimizer, and `CaseOptimizer`
tells them apart:

    CaseOptimizer((Bop.is_binary_variable, Bop(threshold=1e-8, gamma=1e-4)), default_optimizer=keras.optimizers.Adam())

The layers that `Bop` trains need no quantizer: a kernel that starts at +-1 stays there. `NoOp(precision=1)` marks it
as binary; an ordinary 1-bit quantizer marks it, too, and binarizes the initial values as well.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import keras
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

from qnn_hw.errors import QnnError
from qnn_hw.math import sign

__all__ = ["Bop", "CaseOptimizer", "ClaimError"]

Predicate = Callable[[Any], bool]


class ClaimError(QnnError, ValueError):
    """A `CaseOptimizer` whose predicates do not divide the model's variables among its optimizers."""


@keras.saving.register_keras_serializable("qnn_hw")
def is_binary_variable(variable: Any) -> bool:
    """Whether `variable` is the latent weight of a 1-bit quantizer (`NoOp(precision=1)` counts as one).

    The layer tells by the attribute `precision`, in bits, that its `build` puts on the variable.
    """
    return getattr(variable, "precision", None) == 1


@keras.saving.register_keras_serializable("qnn_hw")
class Bop(keras.optimizers.Optimizer):
    """Binary optimizer: flips a weight when its averaged gradient is strong and points the wrong way.

        m <- m + gamma * (g - m)
        w <- -w   if w * m > threshold,   +1   if w * m == threshold,   else w          (signs only, w in {-1, +1})

    as one formula: `w <- sign(-sgn(w * m - threshold) * w)` with sgn(0) = 0 and sign(0) = +1. A weight that is not
    +-1 yet becomes so in the first step. `m` starts at 0.

    Both hyperparameters may be numbers, schedules of the step (`keras.optimizers.schedules`), or callables without
    arguments. Numbers are kept as variables: assign to `optimizer.gamma`, or use a `HyperparameterScheduler`.

    Args:
        threshold: of the flip; larger means fewer flips.
        gamma: share of the new gradient in the average; smaller means fewer flips.
        name: of the optimizer.
        **kwargs: arguments of every Keras optimizer that treat gradients: `clipnorm`, `clipvalue`, `global_clipnorm`,
            `loss_scale_factor`, `gradient_accumulation_steps`.

    Raises:
        QnnError: for another argument of Keras optimizers (a learning rate or a weight decay means nothing here).

    Source: Helwegen et al., "Latent Weights Do Not Exist", arXiv:1906.02107.
    """

    is_binary_variable = staticmethod(is_binary_variable)

    _GRADIENT_ARGUMENTS = frozenset(
        {"clipnorm", "clipvalue", "global_clipnorm", "loss_scale_factor", "gradient_accumulation_steps"}
    )

    def __init__(self, threshold: Any = 1e-8, gamma: Any = 1e-4, name: str = "bop", **kwargs: Any) -> None:
        unknown = sorted(set(kwargs) - self._GRADIENT_ARGUMENTS)
        if unknown:
            raise QnnError(
                f"Bop: argument {', '.join(unknown)}; allowed besides threshold, gamma and name are "
                f"{', '.join(sorted(self._GRADIENT_ARGUMENTS))}."
            )
        # A callable, because a number would become one more variable in every saved state.
        super().__init__(learning_rate=_no_learning_rate, name=name, **kwargs)
        self._threshold = self._hyperparameter(threshold, "threshold")
        self._gamma = self._hyperparameter(gamma, "gamma")

    @property
    def threshold(self) -> Any:
        """Threshold of the next step: the variable itself, or what the schedule gives for it."""
        return self._now(self._threshold)

    @threshold.setter
    def threshold(self, value: Any) -> None:
        self._threshold = self._changed(self._threshold, value, "threshold")

    @property
    def gamma(self) -> Any:
        """Share of the new gradient in the next step: the variable itself, or what the schedule gives for it."""
        return self._now(self._gamma)

    @gamma.setter
    def gamma(self, value: Any) -> None:
        self._gamma = self._changed(self._gamma, value, "gamma")

    def build(self, variables: list[Any]) -> None:
        """Make the averaged gradients, one tensor a variable."""
        if self.built:
            return
        super().build(variables)
        self._averages = self.add_optimizer_variables(variables, "average_gradient")

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """One step of one variable; `learning_rate` is not used."""
        gradient = ops.cast(gradient, variable.dtype)
        gamma, threshold = ops.cast(self.gamma, variable.dtype), ops.cast(self.threshold, variable.dtype)
        kept = self._averages[self._get_variable_index(variable)]
        average = kept + gamma * (gradient - kept)
        self.assign(kept, average)
        self.assign(variable, sign(-ops.sign(variable * average - threshold) * variable))

    def get_config(self) -> dict[str, Any]:
        """Arguments of `__init__`."""
        config = super().get_config()
        return {
            **{key: config[key] for key in ("name", *sorted(self._GRADIENT_ARGUMENTS))},
            "threshold": _hyperparameter_config(self._threshold),
            "gamma": _hyperparameter_config(self._gamma),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Bop:
        """Bop from what `get_config` returned."""
        config = dict(config)
        for key in ("threshold", "gamma"):
            if isinstance(config.get(key), dict):
                config[key] = keras.saving.deserialize_keras_object(config[key], custom_objects=custom_objects)
        return cls(**config)

    def _hyperparameter(self, value: Any, name: str) -> Any:
        """What is kept of a hyperparameter: a schedule or callable as it is, a number as a variable."""
        if callable(value):
            return value
        with keras.name_scope(self.name, caller=self):
            return keras.Variable(
                float(value), dtype="float32", trainable=False, aggregation="only_first_replica", name=name
            )

    def _changed(self, kept: Any, value: Any, name: str) -> Any:
        """What is kept after `optimizer.<name> = value`: a number goes into the variable, for compiled steps."""
        if callable(value):
            return value
        if not isinstance(kept, keras.Variable):
            raise QnnError(f"{self.name}: {name} is a schedule; make the optimizer with a number to set it later.")
        kept.assign(value)
        return kept

    def _now(self, kept: Any) -> Any:
        """Value of a hyperparameter in the current step."""
        if isinstance(kept, LearningRateSchedule):
            return kept(self.iterations)
        return kept if isinstance(kept, keras.Variable) else kept()


def _no_learning_rate() -> float:
    """What Keras reads as Bop's learning rate."""
    return 0.0


def _hyperparameter_config(kept: Any) -> Any:
    """JSON-ready form of what Bop keeps of a hyperparameter."""
    if isinstance(kept, keras.Variable):
        return float(ops.convert_to_numpy(kept))
    return keras.saving.serialize_keras_object(kept)


@keras.saving.register_keras_serializable("qnn_hw")
class CaseOptimizer(keras.optimizers.Optimizer):
    """Gives each variable to the optimizer whose predicate claims it.

        CaseOptimizer((predicate, optimizer), ..., default_optimizer=optimizer)

    The variables are divided when the optimizer is built, once. Everything else belongs to the optimizers themselves:
    learning rates and schedules, gradient clipping, moving averages.

    Saved is which variable (by its path) goes to which optimizer, and the predicates that are registered with
    `keras.saving` (`Bop.is_binary_variable` is). A loaded optimizer needs no predicates for the model it was saved in.

    Args:
        *predicate_optimizer_pairs: (predicate, optimizer); the predicate takes a `keras.Variable`, returns a bool.
        default_optimizer: for the variables that no predicate claims; `None` leaves them as they are.
        name: of the optimizer.

    Raises:
        QnnError: for something else than such pairs, or for an optimizer with a `loss_scale_factor` (the loss is
            scaled once for all; wrap the CaseOptimizer in a `keras.optimizers.LossScaleOptimizer`).
        ClaimError: a ValueError as well; when it is built: if two predicates claim one variable, if a predicate claims
            none, or if a loaded optimizer meets other variables than those it was saved with.

    Warns:
        UserWarning: when it is built, for unclaimed variables without a `default_optimizer`: they are not trained.
    """

    def __init__(
        self,
        *predicate_optimizer_pairs: tuple[Predicate, Any],
        default_optimizer: Any = None,
        name: str = "case_optimizer",
    ) -> None:
        for pair in predicate_optimizer_pairs:
            if not isinstance(pair, tuple | list) or len(pair) != 2 or not callable(pair[0]):
                raise QnnError(f"CaseOptimizer: {pair!r} is no pair (predicate, optimizer); give such pairs.")
        optimizers = [
            *(keras.optimizers.get(pair[1]) for pair in predicate_optimizer_pairs),
            *([] if default_optimizer is None else [keras.optimizers.get(default_optimizer)]),
        ]
        if not optimizers:
            raise QnnError("CaseOptimizer: no optimizers; give at least one pair or a default_optimizer.")
        for optimizer in optimizers:
            if optimizer.loss_scale_factor is not None or isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
                raise QnnError(
                    f"CaseOptimizer: {optimizer.name} scales the loss, which only one for all variables can do; "
                    "wrap the CaseOptimizer in a LossScaleOptimizer instead."
                )
        super().__init__(learning_rate=_no_learning_rate, name=name)
        self.case_optimizers = optimizers
        """In the order of the pairs, the default one last. Not `optimizers`: Keras's learning-rate callbacks would give
        all that are found under that name, Bop included, a learning rate."""
        self._n_cases = len(predicate_optimizer_pairs)
        self._predicates: tuple[Predicate | None, ...] = tuple(pair[0] for pair in predicate_optimizer_pairs)
        self._saved_claims: dict[str, int | None] | None = None
        self._claims: list[int | None] = []

    @property
    def default_optimizer(self) -> Any:
        """Optimizer of the unclaimed variables, or `None`."""
        return self.case_optimizers[self._n_cases] if len(self.case_optimizers) > self._n_cases else None

    @property
    def variables(self) -> list[Any]:
        """Own state (the step counter), then that of each optimizer."""
        return [*super().variables, *(v for optimizer in self.case_optimizers for v in optimizer.variables)]

    @property
    def learning_rate(self) -> Any:
        """Learning rate of the one optimizer that has one (Bop has none), for Keras's callbacks.

        Raises:
            AttributeError: if several have one, or none; then name one: `case.case_optimizers[0].learning_rate`.
        """
        return self._with_learning_rate().learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self._with_learning_rate().learning_rate = value

    def build(self, variables: list[Any]) -> None:
        """Divide the variables and build each optimizer for its own."""
        if self.built:
            return
        variables = list(variables)
        super().build(variables)
        self._claims = self._recall(variables) if self._needs_saved_claims() else self._divide(variables)
        for index, optimizer in enumerate(self.case_optimizers):
            with keras.name_scope(optimizer.name, caller=optimizer):
                optimizer.build([v for v, claim in zip(variables, self._claims, strict=True) if claim == index])

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        """Let each optimizer update its variables; same arguments as for every Keras optimizer."""
        grads = list(grads)
        if not grads:
            return
        if not self.built:
            if trainable_variables is None:
                raise QnnError(f"{self.name}: gradients without variables before the first step; give both.")
            trainable_variables = list(trainable_variables)
            with keras.name_scope(self.name, caller=self):
                self.build(trainable_variables)
        variables = self._trainable_variables if trainable_variables is None else list(trainable_variables)
        self._check_variables_are_known(variables)
        if all(gradient is None for gradient in grads):
            raise QnnError(f"{self.name}: no variable has a gradient; does the loss depend on them?")
        cases: dict[int, list[tuple[Any, Any]]] = {}
        for gradient, variable in zip(grads, variables, strict=True):
            claim = self._claims[self._get_variable_index(variable)]
            if claim is not None:
                cases.setdefault(claim, []).append((gradient, variable))
        for claim, pairs in cases.items():
            if any(gradient is not None for gradient, _ in pairs):
                self.case_optimizers[claim].apply([g for g, _ in pairs], [v for _, v in pairs])
        self._iterations.assign_add(1)

    def finalize_variable_values(self, var_list: list[Any]) -> None:
        """After the training: let optimizers with a moving average put it into their variables."""
        for index, optimizer in enumerate(self.case_optimizers):
            claimed = [v for v in var_list if self._claims[self._get_variable_index(v)] == index]
            if claimed:
                optimizer.finalize_variable_values(claimed)

    def save_own_variables(self, store: Any) -> None:
        """Store the step counter; Keras stores the optimizers inside by itself."""
        store["0"] = ops.convert_to_numpy(self._iterations)

    def load_own_variables(self, store: Any) -> None:
        """Counterpart of `save_own_variables`."""
        self._iterations.assign(store["0"])

    def get_config(self) -> dict[str, Any]:
        """Optimizers, registered predicates (`None` for others) and, once built, the optimizer of each variable."""
        return {
            "name": self.name,
            "optimizers": [keras.saving.serialize_keras_object(optimizer) for optimizer in self.case_optimizers],
            "predicates": [None if p is None else _registered_name(p) for p in self._predicates],
            "claims": self._claims_by_path() if self.built else self._saved_claims,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> CaseOptimizer:
        """CaseOptimizer from what `get_config` returned."""
        optimizers = [
            keras.saving.deserialize_keras_object(each, custom_objects=custom_objects) for each in config["optimizers"]
        ]
        predicates = [
            None if name is None else keras.saving.get_registered_object(name, custom_objects)
            for name in config["predicates"]
        ]
        n_cases = len(predicates)
        case_optimizer = cls(
            *((predicate or _unknown, optimizer) for predicate, optimizer in zip(predicates, optimizers, strict=False)),
            default_optimizer=optimizers[n_cases] if len(optimizers) > n_cases else None,
            name=config["name"],
        )
        case_optimizer._predicates = tuple(predicates)
        case_optimizer._saved_claims = config["claims"]
        return case_optimizer

    def _with_learning_rate(self) -> Any:
        """The only optimizer with a learning rate."""
        having = [optimizer for optimizer in self.case_optimizers if not isinstance(optimizer, Bop)]
        if len(having) != 1:
            raise AttributeError(
                f"{self.name}: {len(having)} of its optimizers have a learning rate; "
                "use `case_optimizers[i].learning_rate`, or HyperparameterScheduler(..., optimizer=...)."
            )
        return having[0]

    def _divide(self, variables: list[Any]) -> list[int | None]:
        """Index of the optimizer of each variable, by the predicates; `None` for those that are not trained."""
        default = self._n_cases if self.default_optimizer is not None else None
        claims: list[int | None] = []
        for variable in variables:
            claiming = [i for i, predicate in enumerate(self._predicates) if predicate and predicate(variable)]
            if len(claiming) > 1:
                raise ClaimError(
                    f"{self.name}: variable {variable.path} is claimed by the predicates {_numbers(claiming)}; "
                    "at most one may claim a variable."
                )
            claims.append(claiming[0] if claiming else default)
        idle = [i for i in range(self._n_cases) if i not in claims]
        if idle:
            raise ClaimError(
                f"{self.name}: no variable is claimed by predicate {_numbers(idle)} "
                f"({', '.join(self.case_optimizers[i].name for i in idle)}); each must claim at least one."
            )
        unclaimed = [v.path for v, claim in zip(variables, claims, strict=True) if claim is None]
        if unclaimed:
            warnings.warn(
                f"{self.name}: no predicate claims {', '.join(unclaimed)} and there is no default_optimizer, "
                "so they are not trained.",
                UserWarning,
                stacklevel=4,
            )
        return claims

    def _needs_saved_claims(self) -> bool:
        """Whether the predicates are not all at hand, because this optimizer was loaded."""
        return None in self._predicates

    def _recall(self, variables: list[Any]) -> list[int | None]:
        """Index of the optimizer of each variable, as saved: by path, or by position if paths were renamed."""
        saved = self._saved_claims or {}
        if all(variable.path in saved for variable in variables):
            return [saved[variable.path] for variable in variables]
        if len(saved) == len(variables):
            return list(saved.values())
        raise ClaimError(
            f"{self.name}: was saved with its optimizers for {len(saved)} variables and without its predicates, but "
            f"the model has {len(variables)}; load with compile=False and compile with a new CaseOptimizer."
        )

    def _claims_by_path(self) -> dict[str, int | None]:
        """Index of the optimizer of each variable, in the variables' order."""
        return {v.path: claim for v, claim in zip(self._trainable_variables, self._claims, strict=True)}


def _unknown(_: Any) -> bool:
    """Stands for a predicate that was not saved until the saved claims take its place."""
    return False


def _numbers(indices: list[int]) -> str:
    """Positions of predicates, for messages."""
    return ", ".join(str(i) for i in indices)


def _registered_name(predicate: Predicate) -> str | None:
    """Name under which `keras.saving` finds the predicate again, or `None`."""
    name = keras.saving.get_registered_name(predicate)
    return name if keras.saving.get_registered_object(name) is predicate else None
