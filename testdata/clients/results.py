"""Turns what test runners say into lines "verdict NAME", for the suites.

    results.py unittest FOLDER OUT   run the test_*.py of a folder
    results.py junit FILE OUT        read a JUnit report, as pytest writes it

A verdict is passed, failed or skipped; a skipped line ends with "|" and why.
"""
import sys
import unittest
import warnings
from xml.etree import ElementTree


class Verdicts(unittest.TextTestResult):
    """A result that keeps one verdict a test, whatever its subtests say."""

    def startTestRun(self):
        super().startTestRun()
        self.verdicts = {}

    def addSuccess(self, test):
        super().addSuccess(test)
        self.verdicts.setdefault(test.id(), "passed")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.verdicts[test.id()] = "failed"

    def addError(self, test, err):
        super().addError(test, err)
        self.verdicts[test.id()] = "failed"

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err:
            self.verdicts[test.id()] = "failed"

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.verdicts[test.id()] = "skipped|" + reason


def run_unittest(folder):
    warnings.simplefilter("ignore", ResourceWarning)
    suite = unittest.defaultTestLoader.discover(folder, pattern="test_*.py")
    runner = unittest.TextTestRunner(verbosity=2, resultclass=Verdicts, warnings="ignore")
    result = runner.run(suite)
    return {name.split(".", 1)[1]: verdict for name, verdict in result.verdicts.items()}


def read_junit(path):
    verdicts = {}
    for case in ElementTree.parse(path).iter("testcase"):
        name = case.get("classname", "").rpartition(".")[2] + "." + case.get("name", "")
        if case.find("failure") is not None or case.find("error") is not None:
            verdicts[name] = "failed"
        elif (skip := case.find("skipped")) is not None:
            verdicts[name] = "skipped|" + " ".join(skip.get("message", "").split())
        else:
            verdicts.setdefault(name, "passed")
    return verdicts


def main(kind, source, out):
    verdicts = {"unittest": run_unittest, "junit": read_junit}[kind](source)
    with open(out, "w", encoding="utf-8") as f:
        for name, verdict in sorted(verdicts.items()):
            verdict, _, reason = verdict.partition("|")
            print(f"{verdict} {name}|{reason}", file=f)
    sys.exit(not verdicts or "failed" in verdicts.values())


if __name__ == "__main__":
    main(*sys.argv[1:])
