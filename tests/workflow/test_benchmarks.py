"""Time and memory of every job are measured."""

from tests.workflow.helpers import describe


def test_every_rule_that_runs_a_script_is_measured():
    rules = {rule["name"]: rule for rule in describe()["rules"] if rule["script"]}
    for name, rule in rules.items():
        (log,) = rule["log"]
        expected = log.replace("/logs/", "/benchmarks/").removesuffix(".log") + ".tsv"
        assert rule["benchmark"] == expected, name
