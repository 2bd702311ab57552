"""Pythia's own hard processes that samples can be made of, by name.

Cross-sections are Pythia's, of leading order. They already contain Pythia's own branching fractions
of decays that are forced, for a resonance's width counts open channels alone; what is left to do is
to put measured or better calculated fractions in their place, see
:attr:`Process.crosssection_factor`.

References:
    Bierlich et al. (2022), https://arxiv.org/abs/2203.11601
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from bumpflow.simulate.extras import optional
from bumpflow.suggest import suggest

Parameters = Mapping[str, float]

# Particle Data Group (2024), https://doi.org/10.1103/PhysRevD.110.030001, decays of the W boson.
W_TO_ELECTRON, W_TO_MUON, W_TO_HADRONS = 0.1071, 0.1063, 0.6741
# LHC Higgs Cross Section Working Group (2016), https://arxiv.org/abs/1610.07922, at 125 GeV.
HIGGS_TO_PHOTONS = 2.270e-3
# Pythia 8.317: widths that it computes itself. Tests compare them with the one installed.
PYTHIA_W_TO_LEPTON, PYTHIA_W_TO_HADRONS = 0.10810, 0.67578
PYTHIA_HIGGS_TO_PHOTONS = 2.2965e-3

W_MASS_GEV = 80.4
LEPTONS, QUARKS = "11 13", "1 2 3 4 5"
LEPTON = MappingProxyType({"lepton_pt_gev": 12.0, "lepton_eta": 2.6})
"""What showers are spared for: leptons well below the cuts of any selection."""
HIGGS_TO_DIPHOTON = ("25:m0 = 125", "25:onMode = off", "25:onIfMatch = 22 22")
STABLE_B = ("511:mayDecay = off", "521:mayDecay = off", "531:mayDecay = off")
MANUAL = "Pythia 8.3, https://arxiv.org/abs/2203.11601"


def _lines(*lines: str) -> Callable[[Parameters], list[str]]:
    """Return settings that do not depend on parameters, or just have them filled in."""
    return lambda parameters: [line.format(**parameters) for line in lines]


def _heavy_higgs_lines(parameters: Parameters) -> list[str]:
    """Return the settings of gg -> H0 -> W H+-, H+- -> W h0.

    Couplings of H0 to WW and ZZ are off: with them it would be 35 GeV wide instead of 5 GeV. What
    is left of its width, and of the charged one's, is cut at 20 GeV from the mass.
    """
    heavy, charged, light = (
        parameters[name] for name in ("heavy_gev", "charged_gev", "light_gev")
    )
    if heavy < charged + W_MASS_GEV or charged < light + W_MASS_GEV:
        msg = (
            f"heavy_gev = {heavy:g}, charged_gev = {charged:g}, light_gev = {light:g}: each must"
            f" exceed the next by the mass of a W boson, {W_MASS_GEV} GeV"
        )
        raise ValueError(msg)
    lowest = max(heavy - 20, charged + W_MASS_GEV + 0.1)
    lowest_charged = max(charged - 20, light + W_MASS_GEV + 0.1)
    return [
        *("Higgs:useBSM = on", "HiggsBSM:gg2H2 = on"),
        *("HiggsH2:coup2HchgW = 1", "HiggsHchg:coup2H1W = 1"),
        *("HiggsH2:coup2W = 0", "HiggsH2:coup2Z = 0"),
        *(f"25:m0 = {light}", f"35:m0 = {heavy}", f"37:m0 = {charged}", "36:m0 = 2000"),
        *(f"35:mMin = {lowest}", f"35:mMax = {heavy + 20}"),
        *(f"37:mMin = {lowest_charged}", f"37:mMax = {charged + 20}"),
    ]


@dataclass(frozen=True)
class Process:
    r"""A hard process of Pythia.

    Attributes:
        description: What collides to what.
        source: Where the choice, and numbers in it, come from.
        lines: Settings by parameters, without those of the beams.
        parameters: Parameters with the values that they have by default.
        decays: Settings of forced decays.
        semileptonic: Whether of two W bosons of opposite charge one decays to an electron or muon
            and the other to quarks. Pythia's settings can only say which charge does what, so
            blocks of events take turns.
        hook: Keywords of :func:`bumpflow.simulate.hooks.build_hook`; None if no hook is needed.
        branching: Fraction of decays that are forced, of this process's Standard Model
            particles, as known today. For semileptonic W bosons, that of both charges together.
        pythia_branching: The fraction that Pythia has already multiplied its cross-section by.
            For semileptonic W bosons, that of one charge.
    """

    description: str
    source: str
    lines: Callable[[Parameters], list[str]]
    parameters: Parameters = field(default_factory=dict)
    decays: tuple[str, ...] = ()
    semileptonic: bool = False
    hook: Mapping[str, Any] | None = None
    branching: float = 1.0
    pythia_branching: float = 1.0

    @property
    def crosssection_factor(self) -> float:
        """What Pythia's cross-section must still be multiplied by."""
        return self.branching / self.pythia_branching

    def settings(self, parameters: Parameters | None = None, *, parity: int = 0) -> list[str]:
        """Return Pythia's settings of the process and its decays, not of the beams.

        Args:
            parameters: Values of parameters that differ from their defaults.
            parity: 0 or 1: with semileptonic W bosons, whether the positive or the negative one
                decays to a lepton. Blocks of events use their number modulo 2.

        Raises:
            ValueError: If there is no such parameter, or its value makes no sense.
        """
        given = parameters or {}
        for name, value in given.items():
            if name not in self.parameters:
                msg = f"{self.description} has no parameter {name!r}"
                raise ValueError(msg + suggest(name, self.parameters))
            if not value >= 0:
                msg = f"{name} = {value} makes no sense: it must be 0 or more"
                raise ValueError(msg)
        lines = self.lines({**self.parameters, **given}) + list(self.decays)
        return lines + (semileptonic_decays(parity) if self.semileptonic else [])


def semileptonic_decays(parity: int) -> list[str]:
    """Return the settings by which W bosons of one charge decay to leptons, the others to quarks.

    Args:
        parity: 0 for leptons from positive W bosons, 1 for leptons from negative ones.

    Raises:
        ValueError: If it is neither.
    """
    if parity not in (0, 1):
        msg = f"parity is {parity}, but must be 0 (positive leptons) or 1 (negative leptons)"
        raise ValueError(msg)
    positive, negative = (LEPTONS, QUARKS) if parity == 0 else (QUARKS, LEPTONS)
    return [
        "24:onMode = off",
        f"24:onPosIfAny = {positive}",
        f"24:onNegIfAny = {negative}",
    ]


def _semileptonic(process: Process) -> Process:
    """Return a process of which one W boson decays to a lepton, the other to quarks."""
    return replace(
        process,
        semileptonic=True,
        # Either charge may be the lepton's in nature, one of them in Pythia's cross-section.
        branching=2 * (W_TO_ELECTRON + W_TO_MUON) * W_TO_HADRONS,
        pythia_branching=2 * PYTHIA_W_TO_LEPTON * PYTHIA_W_TO_HADRONS,
    )


def _diphoton_higgs(description: str, *lines: str) -> Process:
    """Return a process of a Higgs boson that decays to two photons."""
    return Process(
        description,
        f"{MANUAL}; branching fraction of https://arxiv.org/abs/1610.07922",
        _lines(*lines),
        decays=HIGGS_TO_DIPHOTON,
        branching=HIGGS_TO_PHOTONS,
        pythia_branching=PYTHIA_HIGGS_TO_PHOTONS,
    )


PROCESSES: Mapping[str, Process] = MappingProxyType(
    {
        "heavyhiggs": _semileptonic(
            Process(
                "gg -> H0 -> W H+-, H+- -> W h0, h0 -> bb, one W to a lepton",
                "signal of UCI HIGGS, https://arxiv.org/abs/1402.4735; branching fractions of the"
                " three Higgs bosons are Pythia's, those of W bosons the Particle Data Group's",
                _heavy_higgs_lines,
                parameters={"heavy_gev": 425.0, "charged_gev": 325.0, "light_gev": 125.0},
                decays=(
                    "35:onMode = off",
                    "35:onIfMatch = 24 -37",
                    "35:onIfMatch = -24 37",
                    "37:onMode = off",
                    "37:onIfMatch = 24 25",
                    "25:onMode = off",
                    "25:onIfMatch = 5 -5",
                ),
                hook={"polarise": True, **LEPTON},
            )
        ),
        "ttbarsemileptonic": _semileptonic(
            Process(
                "pp -> tt, one W to a lepton",
                "background of UCI HIGGS, https://arxiv.org/abs/1402.4735",
                _lines("Top:gg2ttbar = on", "Top:qqbar2ttbar = on", "6:m0 = 172.5"),
                hook={"polarise": False, **LEPTON},
            )
        ),
        "ttbar": Process(
            "pp -> tt",
            MANUAL,
            _lines("Top:gg2ttbar = on", "Top:qqbar2ttbar = on", "6:m0 = 172.5"),
        ),
        "qcd": Process(
            "pp -> two jets, more of those with high transverse momentum, with weights for it",
            MANUAL,
            _lines(
                "HardQCD:all = on",
                "PhaseSpace:pTHatMin = {min_pt_gev}",
                "PhaseSpace:bias2Selection = on",
                "PhaseSpace:bias2SelectionPow = {bias_power}",
                "PhaseSpace:bias2SelectionRef = {bias_reference_gev}",
            ),
            parameters={"min_pt_gev": 20.0, "bias_power": 4.0, "bias_reference_gev": 100.0},
        ),
        "wjets": Process(
            "pp -> W, jets from the shower, the first corrected to its matrix element",
            MANUAL,
            _lines("WeakSingleBoson:ffbar2W = on"),
        ),
        "zjets": Process(
            "pp -> Z/gamma*, jets from the shower, the first corrected to its matrix element",
            MANUAL,
            _lines("WeakSingleBoson:ffbar2gmZ = on", "23:mMin = {min_mass_gev}"),
            parameters={"min_mass_gev": 50.0},
        ),
        "dibosons": Process(
            "pp -> WW, WZ/gamma*, ZZ/gamma*",
            MANUAL,
            _lines(
                "WeakDoubleBoson:ffbar2WW = on",
                "WeakDoubleBoson:ffbar2ZW = on",
                "WeakDoubleBoson:ffbar2gmZgmZ = on",
                "23:mMin = {min_mass_gev}",
            ),
            parameters={"min_mass_gev": 50.0},
        ),
        "photonjets": Process(
            "pp -> prompt photon and jet",
            MANUAL,
            _lines(
                "PromptPhoton:qg2qgamma = on",
                "PromptPhoton:qqbar2ggamma = on",
                "PromptPhoton:gg2ggamma = on",
                "PhaseSpace:pTHatMin = {min_pt_gev}",
            ),
            parameters={"min_pt_gev": 20.0},
        ),
        "diphotons": Process(
            "pp -> two prompt photons, jets from the shower",
            MANUAL,
            _lines(
                "PromptPhoton:ffbar2gammagamma = on",
                "PromptPhoton:gg2gammagamma = on",
                "PhaseSpace:pTHatMin = {min_pt_gev}",
            ),
            parameters={"min_pt_gev": 20.0},
        ),
        "zh": _diphoton_higgs("pp -> Z h, h -> two photons", "HiggsSM:ffbar2HZ = on"),
        "tth": _diphoton_higgs(
            "pp -> tt h, h -> two photons",
            "HiggsSM:gg2Httbar = on",
            "HiggsSM:qqbar2Httbar = on",
            "6:m0 = 172.5",
        ),
        "ggh": _diphoton_higgs(
            "gg -> h through a top loop, h -> two photons", "HiggsSM:gg2H = on"
        ),
        "bmesons": Process(
            "pp or pn -> bb, B mesons kept from decaying",
            "https://arxiv.org/abs/2407.20329, section 2",
            _lines("HardQCD:hardbbbar = on"),
            decays=STABLE_B,
        ),
    }
)


# Pythia reads any other value of a switch as off, and any that is not a number as 0.
SWITCH = frozenset(("on", "off", "yes", "no", "true", "false", "ok", "1", "0"))
NUMERIC = frozenset(("m0", "mwidth", "mmin", "mmax", "tau0"))
PARTICLE = re.compile(r"-?\d+$")
PROPERTIES = (
    *("m0", "mWidth", "mMin", "mMax", "tau0", "mayDecay", "doForceWidth", "isVisible"),
    *("onMode", "onIfAny", "onIfAll", "onIfMatch", "offIfAny", "offIfAll", "offIfMatch"),
    *("onPosIfAny", "onNegIfAny", "onPosIfAll", "onNegIfAll", "onPosIfMatch", "onNegIfMatch"),
)


def check_settings(settings: Sequence[str]) -> list[str]:
    """Return every reason why Pythia would refuse or misread a line of settings.

    Takes a fraction of a second, as nothing is initialised.

    Args:
        settings: Lines such as ``HardQCD:all = on`` or ``25:m0 = 125``.

    Raises:
        MissingExtra: If Pythia is not installed.
    """
    with optional():
        import pythia8mc as pythia8
    pythia = pythia8.Pythia("", False)
    return [
        f"{line!r}: {fault}"
        for line in settings
        if (fault := _find_fault(pythia, *_split(line)) or _find_refusal(pythia, line))
    ]


def _split(line: str) -> tuple[str, str]:
    """Return the name and the value of a setting."""
    name, _, value = line.strip().replace("=", " ", 1).partition(" ")
    return name, value.strip()


def _find_fault(pythia: Any, name: str, value: str) -> str:  # noqa: ANN401
    """Return what is wrong with a value that Pythia would silently misread, else nothing."""
    particle, _, what = name.partition(":")
    if pythia.settings.isFlag(name) and value.lower() not in SWITCH:
        return f"{name} is a switch, and {value!r} is neither on nor off"
    if PARTICLE.match(particle) and what.lower() in NUMERIC and not _is_number(value):
        return f"{what} of a particle is a number, which {value!r} is not"
    if pythia.settings.isMode(name) and _is_number(value) and not float(value).is_integer():
        return f"{name} is an integer, which {value!r} is not"
    return ""


def _find_refusal(pythia: Any, line: str) -> str:  # noqa: ANN401
    """Return why Pythia refuses a line, else nothing."""
    if pythia.readString(line, False):
        return ""
    name, value = _split(line)
    particle, _, what = name.partition(":")
    if PARTICLE.match(particle):
        if not pythia.particleData.isParticle(int(particle)):
            return f"Pythia knows no particle {particle}"
        return f"particles have no property {what!r}{suggest(what, PROPERTIES)}"
    known = dict(zip(map(str.lower, names := _setting_names(pythia)), names, strict=True))
    if name.lower() in known:
        return f"{value!r} is not a value that {name} can have, or out of its range"
    group = [name for name in names if name.lower().startswith(f"{particle.lower()}:")]
    hint = suggest(name, group or names) if group or ":" in name else ""
    return f"Pythia knows no setting {name!r}{hint}"


def _is_number(value: str) -> bool:
    """Return whether a text is a number."""
    try:
        float(value)
    except ValueError:
        return False
    return True


def _setting_names(pythia: Any) -> list[str]:  # noqa: ANN401
    """Return the names of all of Pythia's settings."""
    settings = pythia.settings
    maps: Iterable[Mapping[str, Any]] = (
        getattr(settings, f"get{kind}Map")("") for kind in ("Flag", "Mode", "Parm", "Word")
    )
    return sorted(entry.name for values in maps for entry in values.values())
