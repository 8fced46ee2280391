"""Ask a broker many small questions and write its answers down.

    python3 testdata/clients/oracle [--url URL] [--only WORD]
    python3 testdata/clients/oracle --compare REFERENCE ANSWERS

Run against RabbitMQ it gives the reference; run against another broker, the
two files are compared: what differs and is not in differences.txt is shown, and
makes the exit status 1. What is random (made-up names) is replaced.
"""
import argparse
import difflib
import os
import re
import sys
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import flow  # noqa: E402,F401
import protocol  # noqa: E402,F401
import routing  # noqa: E402,F401
import topology  # noqa: E402,F401
from cases import ALL  # noqa: E402
from talk import Talk, clean  # noqa: E402

RANDOM = ((r"amq\.gen-[A-Za-z0-9_-]{22}", "amq.gen-RANDOM"), (r"amq\.ctag-[A-Za-z0-9_-]{22}", "amq.ctag-RANDOM"),
          (r"amq\.rabbitmq\.reply-to\.(?!absent)[A-Za-z0-9+/=._-]+", "amq.rabbitmq.reply-to.RANDOM"), (r"T:1[0-9]{9}\b", "T:NOW"))


class Speaker(Talk):
    """A Talk that can bring further connections into its transcript."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.others = 0

    def another(self, capabilities=None):
        return self.another_with({} if capabilities is None else {"capabilities": capabilities})

    def another_with(self, talk=None, **start):
        other = self.fresh(**(talk or {}))
        return other.start(**start)

    def fresh(self, **talk):
        self.others += 1
        return Speaker(self.url, Prefixed(self.lines, f"    [{self.others}] "), **talk)


class Prefixed:
    """A list of lines that marks whose they are."""

    def __init__(self, lines, mark):
        self.lines, self.mark = lines, mark

    def append(self, text):
        self.lines.append(self.mark + text)

    def __len__(self):
        return len(self.lines)

    def __getitem__(self, at):
        return self.lines[at]


def hold(case, url):
    """Run one case and return its lines."""
    lines = []
    t = Speaker(url, lines)
    try:
        if not case.bare:
            t.start().channel(1)
        case.run(t)
    except Exception:  # the transcript goes on; the case shows where it broke
        lines.append("! " + traceback.format_exc(limit=-2).replace("\n", "\n! "))
    t.end()
    clean(url, t.named)
    return lines


def transcript(path):
    """The cases of a transcript: title to lines."""
    cases = {}
    with open(path, encoding="utf-8") as lines:
        for text in lines.read().splitlines():
            if text.startswith("## "):
                cases[text[3:]] = []
            elif text:
                cases[next(reversed(cases))].append(text)
    return cases


def compare(reference, answers):
    """Show the cases that differ and are not meant to; return how many."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "differences.txt"), encoding="utf-8") as lines:
        meant = set(lines.read().splitlines())
    wanted, got = transcript(reference), transcript(answers)
    differing = [title for title in wanted | got if wanted.get(title) != got.get(title)]
    unexpected = [title for title in differing if title not in meant]
    for title in unexpected:
        print(f"## {title}")
        print("\n".join(list(difflib.unified_diff(wanted.get(title, []), got.get(title, []), lineterm=""))[3:]), end="\n\n")
    print(f"{len(wanted | got)} cases, {len(differing)} differ, {len(unexpected)} of them are not meant to")
    return len(unexpected)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default=os.environ.get("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/"))
    parser.add_argument("--only", default="", help="cases whose title has this word")
    parser.add_argument("--raw", action="store_true", help="leave random names as they are")
    parser.add_argument("--compare", nargs=2, metavar=("REFERENCE", "ANSWERS"), help="two transcripts")
    args = parser.parse_args()
    if args.compare:
        sys.exit(1 if compare(*args.compare) else 0)
    for case in ALL:
        if args.only not in case.title:
            continue
        print(f"## {case.title}")
        for text in hold(case, args.url):
            for pattern, word in () if args.raw else RANDOM:
                text = re.sub(pattern, word, text)
            print("  " + text, flush=True)
        print()


if __name__ == "__main__":
    main()
