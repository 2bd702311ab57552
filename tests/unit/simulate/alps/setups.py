"""Set-ups for tests, and a simulation of weighted events that shares no code with ours."""

import numpy as np

from bumpflow.simulate.alps.settings import BeamDump
from bumpflow.simulate.beamdump import sample_parametrised

SHIP = {
    "beam_momentum_gev": 400,
    "kaons": ["k"],
    "front": {"z_m": 32, "x_m": [-0.6, 0.6], "y_m": [-1.75, 1.75]},
    "back": {"z_m": 82, "x_m": [-1.95, 1.95], "y_m": [-3, 3]},
    "calorimeter": {"z_m": 93, "x_m": [-2, 2], "y_m": [-3, 3]},
    "min_energy_gev": 1,
    "min_separation_m": 0.1,
    "prior": {"mass_gev": [0.1, 4.5], "lifetime_m_per_gev": [0.05, 500]},
}
TALL = SHIP | {"front": {"z_m": 32, "x_m": [-0.6, 0.6], "y_m": [-3, 3]}}
"""With a front as high as the back."""
SQUARE = {"x_m": [-1.25, 1.25], "y_m": [-1.25, 1.25]}
SHORT = SHIP | {
    "front": {"z_m": 10} | SQUARE,
    "back": {"z_m": 35} | SQUARE,
    "calorimeter": {"z_m": 35} | SQUARE,
    "prior": {"mass_gev": [0.1, 4.5], "lifetime_m": [0.1, 100]},
}
ASIDE = {"x_m": [1, 3.5], "y_m": [-1.25, 1.25]}
DISPLACED = SHORT | {
    "front": {"z_m": 10} | ASIDE,
    "back": {"z_m": 35} | ASIDE,
    "calorimeter": {"z_m": 35} | ASIDE,
}
M_B, M_K, M_KSTAR = 5.2795, 0.49564, 0.893655


def build(settings, **changes):
    """Return a set-up, some settings changed."""
    return BeamDump.from_settings(settings | changes)


def rotate_and_boost(energy, momentum, cosine, phi, parent, mass):
    """Return momenta (px, py, pz, E) of decay products by components along and across the parent.

    Args:
        energy: Energies in the parent's rest frame.
        momentum: Momenta there.
        cosine: Cosines to the parent's direction there.
        phi: Angles about it.
        parent: Momenta (px, py, pz, E).
        mass: Masses of the parents.
    """
    size = np.sqrt((parent[:, :3] ** 2).sum(axis=1))
    gamma, gamma_beta = parent[:, 3] / mass, size / mass
    along = gamma * momentum * cosine + gamma_beta * energy
    total = gamma * energy + gamma_beta * momentum * cosine
    axis = parent[:, :3] / size[:, None]
    helper = np.where(np.abs(axis[:, :1]) < 0.7, [[1.0, 0, 0]], [[0, 1.0, 0]])
    second = np.cross(axis, helper)
    second /= np.sqrt((second**2).sum(axis=1))[:, None]
    third = np.cross(axis, second)
    across = momentum * np.sqrt(1 - cosine**2)
    vector = axis * along[:, None] + second * (across * np.cos(phi))[:, None]
    vector += third * (across * np.sin(phi))[:, None]
    return np.column_stack([vector, total])


def weigh_events(settings, mass, lifetime, n, rng, *, kaon=M_K):
    """Return weights of tries, 0 for those that are not seen, and what they look like.

    Vertices are drawn flat along the beam and weighted with the exponential.

    Returns:
        Weights, whose mean is the acceptance, and observables by name, of all tries.
    """
    meson = sample_parametrised(n, rng)
    momentum = np.sqrt((M_B**2 - (mass + kaon) ** 2) * (M_B**2 - (mass - kaon) ** 2)) / (2 * M_B)
    energy = (M_B**2 + mass**2 - kaon**2) / (2 * M_B)

    def angles():
        return rng.uniform(-1, 1, n), rng.uniform(0, 2 * np.pi, n)

    alp = rotate_and_boost(energy, momentum, *angles(), meson, M_B)
    first, last = settings["front"], settings["back"]
    end = settings["calorimeter"]
    z = rng.uniform(first["z_m"], last["z_m"], n)
    ok = alp[:, 2] > 0
    slope = alp[:, :2] / np.where(ok, alp[:, 2], 1)[:, None]
    x, y = (slope * z[:, None]).T
    path = np.sqrt((np.column_stack([x, y, z]) ** 2).sum(axis=1))
    per_metre = mass / lifetime / mass / np.sqrt((alp[:, :3] ** 2).sum(axis=1))
    # d(path)/dz is the inverse of the cosine; weights are the density in z over the flat one.
    weight = np.exp(-path * per_metre) * per_metre * path / z * (last["z_m"] - first["z_m"])
    cosine, phi = angles()
    one = rotate_and_boost(mass / 2, mass / 2, cosine, phi, alp, mass)
    two = rotate_and_boost(mass / 2, mass / 2, -cosine, phi + np.pi, alp, mass)
    swap = one[:, 3] < two[:, 3]
    one[swap], two[swap] = two[swap], one[swap].copy()
    ok &= (one[:, 2] > 0) & (two[:, 2] > 0)
    hits = []
    for photon in (one, two):
        pz = np.where(ok, photon[:, 2], 1)
        hit = [v + photon[:, i] / pz * (end["z_m"] - z) for i, v in enumerate((x, y))]
        ok &= (hit[0] > end["x_m"][0]) & (hit[0] < end["x_m"][1])
        ok &= (hit[1] > end["y_m"][0]) & (hit[1] < end["y_m"][1])
        hits.append(hit)
    t = (z - first["z_m"]) / (last["z_m"] - first["z_m"])
    for value, key in ((x, "x_m"), (y, "y_m")):
        ok &= (value > (1 - t) * first[key][0] + t * last[key][0]) & (
            value < (1 - t) * first[key][1] + t * last[key][1]
        )
    ok &= two[:, 3] > settings["min_energy_gev"]
    apart = np.hypot(hits[0][0] - hits[1][0], hits[0][1] - hits[1][1])
    ok &= apart > settings["min_separation_m"]
    shown = {
        "ln_e1": np.log(one[:, 3]),
        "ln_e2": np.log(two[:, 3]),
        "ln_theta1": np.log(np.arctan2(np.hypot(one[:, 0], one[:, 1]), np.abs(one[:, 2]))),
        "ln_theta2": np.log(np.arctan2(np.hypot(two[:, 0], two[:, 1]), np.abs(two[:, 2]))),
        "x1": hits[0][0],
        "y2": hits[1][1],
        "vertex_z": z,
        "ln_apart": np.log(apart),
    }
    return np.where(ok, weight, 0.0), shown


def describe(events):
    """Return the same observables of sampled events."""
    columns = {name: events[name].to_numpy() for name in events}
    shown = {}
    for i in (1, 2):
        px, py, pz = (columns[f"true_{axis}{i}"] for axis in ("px", "py", "pz"))
        shown[f"ln_e{i}"] = np.log(np.sqrt(px**2 + py**2 + pz**2))
        shown[f"ln_theta{i}"] = np.log(np.arccos(pz / np.sqrt(px**2 + py**2 + pz**2)))
    dx = columns["true_x1"] - columns["true_x2"]
    dy = columns["true_y1"] - columns["true_y2"]
    return shown | {
        "x1": columns["true_x1"],
        "y2": columns["true_y2"],
        "vertex_z": columns["vertex_z"],
        "ln_apart": np.log(np.hypot(dx, dy)),
    }


def pulls(weights, weighted, sampled):
    """Return differences of distribution functions at quantiles, in units of their errors."""
    used = weights > 0
    w = weights[used] / weights[used].sum()
    found = {}
    for name, values in sampled.items():
        for probability in (0.02, 0.2, 0.5, 0.8, 0.98):
            below = weighted[name][used] < np.quantile(values, probability)
            expected = (w * below).sum()
            variance = probability * (1 - probability) / len(values)
            error = np.sqrt(variance + (w**2 * (below - expected) ** 2).sum())
            found[name, probability] = (probability - expected) / error
    return found
