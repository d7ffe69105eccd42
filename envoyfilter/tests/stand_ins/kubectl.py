"""A stand-in for kubectl: clusters that are folders of JSON files, and a log of every call with what it was given.

STAND_IN      the folder: log (one JSON object per call), CONTEXT/KIND.NAMESPACE.NAME.json, pods.json (what `get pods` answers)
CONTEXTS      the contexts that exist
FAIL          `CONTEXT VERB WORD`: that verb fails there if its input or arguments hold the word
RUNS          the file of the module that every proxy runs
FORGETFUL     a context whose east-west gateways know no subset
"""
import json, os, pathlib, sys

home = pathlib.Path(os.environ["STAND_IN"])
arguments = sys.argv[1:]
text = sys.stdin.read() if "-" in arguments else ""
with open(home / "log", "a") as log:
    log.write(json.dumps({"arguments": arguments, "input": text}) + "\n")

context = ""
words = []
skip = False
for at, word in enumerate(arguments):
    if word == "--context":
        context, skip = arguments[at + 1], True
    elif skip:
        skip = False
    elif not word.startswith("--request-timeout"):
        words.append(word)
verb = words[0] if words else ""


def end(code, out="", err=""):
    sys.stdout.write(out)
    sys.stderr.write(err)
    sys.exit(code)


def parts(name):
    return (os.environ.get(name, "").split(" ") + ["", "", ""])[:3]


def items():
    value = json.loads(text)
    return value["items"] if value.get("kind") == "List" else [value]


def place(item):
    metadata = item["metadata"]
    folder = home / context
    folder.mkdir(exist_ok=True)
    return folder / f'{item["kind"]}.{metadata.get("namespace", "")}.{metadata["name"]}.json'


where, failing, word = parts("FAIL")
if where and where == context and failing == verb and word in text + " ".join(arguments):
    end(1, err="Error from server: the stand-in was told to fail\n")

if words[:2] == ["config", "get-contexts"]:
    end(0, "\n".join(os.environ.get("CONTEXTS", "").split()) + "\n")
if verb == "apply":
    if "--dry-run=server" not in words:
        for item in items():
            if place(item).exists() and "--force-conflicts" not in words:
                there = json.loads(place(item).read_text())
                if "install.meridian/managed" not in there["metadata"].get("labels", {}):
                    end(1, err='error: Apply failed with 1 conflict: conflict with "kubectl": .spec.http\n')
        for item in items():
            place(item).write_text(json.dumps(item))
    end(0)
if verb in ("replace", "create"):
    for item in items():
        if verb == "replace" and not place(item).exists():
            end(1, err="Error from server (NotFound): not found\n")
        place(item).write_text(json.dumps(item))
    end(0)
if verb == "delete":
    for item in items():
        place(item).unlink(missing_ok=True)
    end(0)
if verb == "diff":
    for item in items():
        if not place(item).exists() or json.loads(place(item).read_text()) != item:
            end(1, f'- {item["kind"]} {item["metadata"]["name"]}\n')
    end(0)
if words[:2] == ["get", "pods"]:
    pods = home / "pods.json"
    known = json.loads(pods.read_text()) if pods.exists() else {}
    found = known.get(words[words.index("-l") + 1], [])
    spec = {"containers": [{"name": "istio-proxy"}]}
    end(0, json.dumps({"items": [{"metadata": {"namespace": "istio-system", "name": name}, "spec": spec} for name in found]}))
if verb == "get":
    found = [json.loads(place(item).read_text()) for item in items() if place(item).exists()]
    end(0, json.dumps(found[0] if len(found) == 1 else {"items": found}) if found else "")
if verb == "exec":
    asked = words[-1]
    if asked == "clusters" and os.environ.get("FORGETFUL") != context:
        for file in sorted((home / context).glob("DestinationRule.*")):
            spec = json.loads(file.read_text())["spec"]
            for subset in spec.get("subsets", []):
                print(f'outbound_.9080_.{subset["name"]}_.{spec["host"]}::10.0.0.1:9080::cx_active::0')
    if asked.startswith("config_dump"):
        print(os.environ.get("RUNS", ""))
    if asked.startswith("stats"):
        print("wasmcustom.meridian_moved_total: 0")
    end(0)
end(1, err=f"the stand-in does not know {words}\n")
