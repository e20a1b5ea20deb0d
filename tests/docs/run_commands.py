# SPDX-License-Identifier: Apache-2.0
"""Runs every memwall command line of a document, as its reader would: run_commands.py DOCUMENT --program P --source DIR [--slow].

Commands are lines that begin with memwall or ./memwall in fenced blocks, with their continuations; here-documents that make a file are
carried out, too. A command whose comment says "minutes" runs with --slow only; one that
says "on a cluster" is not run here. Each must end with exit code 0, or with
the one that its comment names ("exit code 3"). Placeholders in capitals or angle brackets (`--platform NAME`) are no commands.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile


def blocks(text):
    """The lines of each fenced block, with the number of the first."""
    inside, out, first = False, [], 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            if inside:
                yield first, out
            inside, out, first = not inside, [], number + 1
        elif inside:
            out.append(line)


def commands(text):
    """(line, shell text) of every command in order."""
    for first, lines in blocks(text):
        at = 0
        while at < len(lines):
            start = at
            words = lines[at].strip()
            here = re.match(r"cat > (\S+) <<'?(\w+)'?$", words)
            if here:
                while lines[at].strip() != here.group(2):
                    at += 1
                yield first + start, "\n".join(lines[start:at + 1])
            elif re.match(r"(\./)?memwall\s", words):
                while lines[at].rstrip().endswith("\\"):
                    at += 1
                yield first + start, "\n".join(lines[start:at + 1]).strip()
            at += 1


def is_form(command):
    """A form to fill in, not a command: NAME, [options], <file>, ..."""
    plain = re.sub(r"'[^']*'", "", command.split(" #")[0])
    return bool(re.search(r"\.\.\.|\[|<\w|\b(NAME|FILE|DIR|N|P|M|TEXT|SPEC|KEY|VALUE|COMMAND)\b", plain))


def main():
    options = argparse.ArgumentParser()
    options.add_argument("document")
    options.add_argument("--program", required=True)
    options.add_argument("--source", required=True)
    options.add_argument("--slow", action="store_true")
    options.add_argument("--list", action="store_true")
    o = options.parse_args()
    text = open(o.document, encoding="utf-8").read()
    ran = failed = 0
    with tempfile.TemporaryDirectory(prefix="memwall-docs-") as work:
        for name in ("tools", "hw", "platforms", "traces", "models", "tests"):
            os.symlink(os.path.join(o.source, name), os.path.join(work, name))
        os.symlink(o.program, os.path.join(work, "memwall"))
        environment = dict(os.environ, PATH=work + os.pathsep + os.environ["PATH"])
        for line, command in commands(text):
            makes_file = command.startswith("cat > ")
            comment = command.partition(" #")[2]
            slow = "minutes" in comment
            if not makes_file and (is_form(command) or slow != o.slow or "on a cluster" in comment):
                continue
            if o.list:
                print(f"{line}: {command}")
                continue
            wanted = re.search(r"exit code (\d+)", comment)
            r = subprocess.run(["bash", "-c", command.replace("../../../", "")], cwd=work, env=environment, text=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            ran += not makes_file
            if "this build of memwall has no report page" in r.stdout:  # built without npm
                continue
            if r.returncode != (int(wanted.group(1)) if wanted else 0):
                failed += 1
                print(f"{o.document}:{line}: exit code {r.returncode}: {command}\n{r.stdout[-2000:]}", flush=True)
    print(f"{os.path.relpath(o.document, o.source)}: {ran} commands, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
