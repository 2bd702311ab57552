"""A library of background shapes: what smoothly falling spectra look like, learnt from examples."""

import math
from collections.abc import Sequence
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from bumpflow.hunts.smoothing import relative_centers

N_KNOTS = 100
SMALLEST = 1e-12


class LibraryFit(NamedTuple):
    """Posterior of the backgrounds of histograms.

    Attributes:
        log_background: Posterior mean of the logarithm, shape ``(n, n_bins)``.
        chi2: Mean over components of the squared residuals, prior pulls included, ``(n,)``.
    """

    log_background: Tensor
    chi2: Tensor


class _Tables(NamedTuple):
    """What all fits to histograms of one length share; the last axis is the bin.

    The first axis is the component, or the parameter and then the component.
    """

    mean: Tensor
    mean_square: Tensor
    basis: Tensor
    basis_mean: Tensor
    products: Tensor


class BackgroundLibrary(nn.Module):
    r"""Mixture of local linear models of the logarithm of background shapes.

    Component k describes shapes as :math:`\ln b(t) = a + m_k(t) + \sum_r c_r p_{kr}(t)` with
    any level a and standard normal coefficients c. Given a histogram, the posterior of each
    component is a weighted least-squares problem of a few parameters, whose evidence weighs the
    components: a Bayesian average over what backgrounds may look like, in closed form, and for
    many histograms at once.

    Args:
        components: Number of components.
        directions: Number of directions p of each.

    References:
        Tipping, Bishop (1999), Mixtures of probabilistic principal component analysers,
        https://doi.org/10.1162/089976699300016728
    """

    mean: Tensor
    directions: Tensor
    log_weight: Tensor

    def __init__(self, components: int, directions: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(components, N_KNOTS))
        self.register_buffer("directions", torch.zeros(components, directions, N_KNOTS))
        self.register_buffer("log_weight", torch.zeros(components))
        self._tables: dict[tuple[int, torch.device], _Tables] = {}
        self.register_load_state_dict_post_hook(_forget_tables)

    def learn(self, backgrounds: Sequence[Tensor], *, seed: int) -> Self:
        """Fit the mixture to examples: clusters, and the principal components of each.

        Args:
            backgrounds: Expected counts; each tensor has shape ``(n, n_bins)``.
            seed: Seed of the clustering.
        """
        from sklearn.cluster import MiniBatchKMeans

        logs = [
            torch.log(b.double()).cpu() @ _interpolation(b.shape[1], N_KNOTS).T
            for b in backgrounds
        ]
        shapes = torch.cat(logs)
        shapes = shapes - shapes.mean(1, keepdim=True)
        _, _, main = torch.linalg.svd(shapes[:20_000] - shapes.mean(0), full_matrices=False)
        reduced = ((shapes - shapes.mean(0)) @ main[:16].T).numpy()
        clusters = MiniBatchKMeans(
            len(self.mean), random_state=seed, batch_size=8192, n_init=1, max_iter=30
        ).fit_predict(reduced)
        labels = torch.from_numpy(clusters)
        for component in range(len(self.mean)):
            self._set_component(component, shapes[labels == component], len(shapes))
        self._tables.clear()
        return self

    def _set_component(self, component: int, shapes: Tensor, n_all: int) -> None:
        """Describe the shapes of one cluster by their mean and principal components."""
        if len(shapes) <= self.directions.shape[1]:
            self.log_weight[component] = -math.inf
            return
        mean = shapes.mean(0)
        _, size, axes = torch.linalg.svd(shapes - mean, full_matrices=False)
        n = self.directions.shape[1]
        self.mean[component] = mean
        self.directions[component] = axes[:n] * size[:n, None] / math.sqrt(len(shapes))
        self.log_weight[component] = math.log(len(shapes) / n_all)

    @torch.no_grad()
    def forward(
        self, observed: Tensor, pilot: Tensor, exposure: Tensor | None = None
    ) -> "LibraryPosterior":
        r"""Fit all components to histograms.

        Poisson counts are expanded around a first guess: the logarithm of the background is
        measured in each bin as :math:`\ln b_0 + (n - b_0) / b_0` with weight :math:`b_0`.

        Args:
            observed: Counts, shape ``(n, n_bins)``.
            pilot: First guess of the background, same shape, all positive.
            exposure: Factors on the smooth background, one per bin, shape ``(n_bins,)``.
        """
        key = observed.shape[1], self.mean.device
        if key not in self._tables:
            self._tables[key] = self._make_tables(observed.shape[1])
        return LibraryPosterior(
            self._tables[key], self.log_weight, observed=observed, pilot=pilot, exposure=exposure
        )

    def _make_tables(self, n_bins: int) -> _Tables:
        """Return the library at the centres of ``n_bins`` bins, in double precision."""
        to_bins = _interpolation(N_KNOTS, n_bins).to(self.mean.device).T
        mean = self.mean.double() @ to_bins
        directions = (self.directions.double() @ to_bins).transpose(0, 1)
        basis = torch.cat([torch.ones_like(directions[:1]), directions])
        pairs = torch.tril_indices(len(basis), len(basis))
        products = basis[pairs[0]] * basis[pairs[1]]
        return _Tables(
            mean=mean,
            mean_square=mean**2,
            basis=basis.flatten(0, 1),
            basis_mean=(basis * mean).flatten(0, 1),
            products=products.flatten(0, 1),
        )


class LibraryPosterior:
    """What a library says of the backgrounds of given histograms.

    Double precision throughout: evidences are small differences of large sums of squares.
    """

    def __init__(
        self,
        tables: _Tables,
        log_weight: Tensor,
        *,
        observed: Tensor,
        pilot: Tensor,
        exposure: Tensor | None,
    ) -> None:
        self.tables, self.log_weight = tables, log_weight.double()
        self.pilot = self.weight = pilot.double()
        measured = torch.log(self.pilot) + observed / self.pilot - 1
        if exposure is not None:
            measured = measured - torch.log(exposure.double())
        self.level = (self.weight * measured).sum(1, keepdim=True)
        self.level /= self.weight.sum(1, keepdim=True)
        self.y = measured - self.level
        n, size = len(observed), len(tables.mean)
        n_parameters = len(tables.basis) // size
        weighted = self.weight * self.y
        target = weighted @ tables.basis.T - self.weight @ tables.basis_mean.T
        self.square = (weighted * self.y).sum(1, keepdim=True)
        self.square = (
            self.square - 2 * weighted @ tables.mean.T + self.weight @ tables.mean_square.T
        )
        matrix = (self.weight @ tables.products.T).view(n, -1, size)
        self.factor = _Cholesky(matrix, n_parameters)
        self.forward = self.factor.substitute(target.view(n, n_parameters, size))

    def background(self, bump: Tensor | None = None) -> LibraryFit:
        """Return the posterior mean of the smooth background, per unit of exposure.

        Args:
            bump: Counts of a bump that the background leaves room for, shape ``(n, n_bins)``:
                its size is fitted too, with a normal prior around 0 whose standard deviation
                is these counts.
        """
        chi2 = self.square - (self.forward**2).sum(1)
        evidence = self.log_weight - 0.5 * (chi2 + self.factor.log_det)
        forward = self.forward
        if bump is not None:
            row, pivot, rest = self._add(bump / self.pilot)
            size = rest / pivot
            chi2 = chi2 - rest**2 / pivot
            evidence = self.log_weight - 0.5 * (chi2 + self.factor.log_det + torch.log(pivot))
            forward = forward - row * size[:, None]
        solution = self.factor.substitute_back(forward)
        share = torch.softmax(evidence, 1)
        mixed = (solution * share[:, None]).flatten(1)
        curve = mixed @ self.tables.basis + share @ self.tables.mean
        log_background = (curve + self.level).float()
        return LibraryFit(log_background, (chi2 * share).sum(1).float())

    def _add(self, bump: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Append a parameter to the factorised systems: its row, pivot and right-hand side."""
        tables, lifted = self.tables, self.weight * bump
        crossed = lifted @ tables.basis.T
        row = self.factor.substitute(crossed.view(self.forward.shape))
        own = (lifted * bump).sum(1, keepdim=True)
        pivot = own + 1 - (row**2).sum(1)
        target = (lifted * self.y).sum(1, keepdim=True) - lifted @ tables.mean.T
        return row, pivot, target - (row * self.forward).sum(1)


class _Cholesky:
    """Factors of many small positive matrices, one entry of all of them at a time.

    Args:
        matrix: Lower triangles, row by row, shape ``(n, n_entries, n_systems)``. A standard
            normal prior is added to all parameters but the first.
        size: Number of parameters.
    """

    def __init__(self, matrix: Tensor, size: int) -> None:
        self.size = size
        self.low: dict[tuple[int, int], Tensor] = {}
        self.inverse: list[Tensor] = []
        self.log_det = torch.zeros_like(matrix[:, 0])
        for i in range(size):
            for j in range(i + 1):
                entry = matrix[:, i * (i + 1) // 2 + j]
                for k in range(j):
                    entry = entry - self.low[i, k] * self.low[j, k]
                if i == j:
                    pivot = (entry + (i > 0)).clamp_min(SMALLEST)
                    self.inverse.append(torch.rsqrt(pivot))
                    self.log_det += torch.log(pivot)
                else:
                    self.low[i, j] = entry * self.inverse[j]

    def substitute(self, target: Tensor) -> Tensor:
        """Return :math:`L^{-1}` times right-hand sides, shape ``(n, size, n_systems)``."""
        solved: list[Tensor] = []
        for i in range(self.size):
            rest = target[:, i]
            for k in range(i):
                rest = rest - self.low[i, k] * solved[k]
            solved.append(rest * self.inverse[i])
        return torch.stack(solved, 1)

    def substitute_back(self, target: Tensor) -> Tensor:
        """Return :math:`L^{-T}` times right-hand sides, shape ``(n, size, n_systems)``."""
        solved: dict[int, Tensor] = {}
        for i in reversed(range(self.size)):
            rest = target[:, i]
            for k in range(i + 1, self.size):
                rest = rest - self.low[k, i] * solved[k]
            solved[i] = rest * self.inverse[i]
        return torch.stack([solved[i] for i in range(self.size)], 1)


def _forget_tables(library: nn.Module, _: object) -> None:
    """Drop what was derived from weights that are no longer there."""
    assert isinstance(library, BackgroundLibrary)
    library._tables.clear()


def _interpolation(n_from: int, n_to: int) -> Tensor:
    """Return the matrix that interpolates linearly between bins' centres, ``(n_to, n_from)``."""
    source, target = relative_centers(n_from), relative_centers(n_to)
    left = (torch.searchsorted(source, target, right=True) - 1).clamp(0, n_from - 2)
    share = (target - source[left]) / (source[left + 1] - source[left])
    rows = torch.arange(n_to)
    matrix = torch.zeros(n_to, n_from, dtype=torch.float64)
    matrix[rows, left] = 1 - share
    matrix[rows, left + 1] = share
    return matrix
