#!/usr/bin/python3
"""The chart and Helm itself: lint, the same objects as the stand-in renders, refusals. Debian has no Helm: it is looked for in $PATH and
build/tools, and the test is skipped where it is not.
"""
import os
import subprocess
import sys

import chart
import tools

SKIPPED = 77


def must(condition, text):
    if not condition:
        sys.exit("helm_test: " + text)


def run(*command):
    return subprocess.run(command, text=True, capture_output=True, check=False)


def keyed(documents):
    return {(document["kind"], document["metadata"]["name"]): document for document in documents}


def lint_is_clean(helm):
    for name in chart.SETS:
        done = run(helm, "lint", "--strict", str(chart.CHART), "--values", str(chart.VALUES / (name + ".yaml")))
        must(done.returncode == 0 and "[WARNING]" not in done.stdout and "[ERROR]" not in done.stdout, done.stdout + done.stderr)


def helm_renders_the_same(helm):
    for name in chart.SETS:
        values = chart.value_set(name)
        ours, theirs = keyed(chart.rendered_here(values)[0]), keyed(chart.rendered_by_helm(helm, values))
        must(set(ours) == set(theirs), "%s: %s" % (name, set(ours) ^ set(theirs)))
        for key, document in ours.items():
            must(document == theirs[key], "%s: %s %s is another by Helm" % (name, *key))


def refuses(helm, over, word):
    try:
        chart.rendered_by_helm(helm, chart.value_set("development", over))
    except chart.Refused as refused:
        must(word in str(refused), "refused for another reason: %s" % refused)
        return
    sys.exit("helm_test: taken, but %s is wrong" % over)


def helm_refuses(helm):
    refuses(helm, {"regoin": "r1"}, "regoin")
    refuses(helm, {"authz": {"settings": {"drain_ms": "soon"}}}, "drain_ms")
    refuses(helm, {"mesh": "0"}, "mesh")
    refuses(helm, {"gateway": {"replicas": 2}}, "credentials.sharedStorageClass")


def rules_hold_by_helm_too(helm):
    """Helm renders templates in an order of its own, and has types where the stand-in has none."""
    done = subprocess.run([sys.executable, str(chart.VALUES.parent / "chart_values_test.py"), "Together"],
                          env=dict(os.environ, KEYWARD_HELM=helm), text=True, capture_output=True, check=False)
    must(done.returncode == 0, done.stdout + done.stderr)


def main():
    helm = tools.program("helm")
    if not helm:
        print("skipped: no helm here")
        sys.exit(SKIPPED)
    lint_is_clean(helm)
    helm_renders_the_same(helm)
    helm_refuses(helm)
    rules_hold_by_helm_too(helm)
    print("ok: %d value sets by helm" % len(chart.SETS))


if __name__ == "__main__":
    main()
