"""Stand-ins for docker, kind, kubectl, istioctl and sysctl: one program that knows by its name which one it is.

What was made is a file in STAND_IN/made, so that a second run finds it; every call is a line of STAND_IN/log. FAIL is `TOOL WORD`: that
tool fails when the word is in what it was given. ENGINE=down is an engine that does not answer, INOTIFY the kernel's limits.
"""
import json, os, re, sys

tool = os.path.basename(sys.argv[1])
arguments = sys.argv[2:]
home = os.environ["STAND_IN"]
made = os.path.join(home, "made")
text = sys.stdin.read() if "-" in arguments else ""
for at, word in enumerate(arguments):
    if word in ("-f", "--config") and arguments[at + 1] != "-" and os.path.exists(arguments[at + 1]):
        text = open(arguments[at + 1]).read()
line = json.dumps({"tool": tool, "arguments": arguments, "input": text}) + "\n"
log = os.open(os.path.join(home, "log"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
os.write(log, line.encode())


def end(code=0, out="", err=""):
    sys.stdout.write(out)
    sys.stderr.write(err)
    sys.exit(code)


def option(name):
    return arguments[arguments.index(name) + 1] if name in arguments else ""


def path(*parts):
    return os.path.join(made, ".".join(part.replace("/", "_") for part in parts))


def make(*parts, content=""):
    os.makedirs(made, exist_ok=True)
    with open(path(*parts), "w") as file:
        file.write(content)


def items():
    """What an input holds: (kind, namespace, name, the resource if it is JSON)."""
    if text.startswith("{"):
        value = json.loads(text)
        for item in value["items"] if value.get("kind") == "List" else [value]:
            yield item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"], item
        return
    for part in re.split(r"(?m)^---$", text):
        kind, name = re.search(r"(?m)^kind: (\w+)", part), re.search(r"(?m)^metadata: \{name: ([^,}]+)", part)
        namespace = re.search(r"(?m)^metadata: .*namespace: ([^,}]+)", part)
        if kind and name:
            yield kind[1], namespace[1] if namespace else "", name[1], None


failing, _, word = os.environ.get("FAIL", "").partition(" ")
if failing == tool and word in " ".join(arguments) + text:
    end(1, err="the stand-in was told to fail\n")

if tool == "docker":
    if arguments[0] == "info":
        if os.environ.get("ENGINE") == "down":
            end(1, err="Cannot connect to the Docker daemon\n")
        end(0, {"{{.NCPU}}": "8\n", "{{.MemTotal}}": "17179869184\n"}.get(option("--format"), ""))
    if arguments[0] == "network":
        end(0, "fc00:f853:ccd:e793::/64 172.18.0.0/16 \n")
    if arguments[0] == "inspect":
        end(0, "172.18.0.2\n" if "primary" in arguments[-1] else "172.18.0.3\n")
    end()

if tool == "sysctl":
    end(0, os.environ.get("INOTIFY", "1048576") + "\n")

if tool == "kind":
    if arguments[0] == "version":
        end(0, "kind v0.30.0 go1.24.6 linux/amd64\n")
    if arguments[:2] == ["get", "clusters"]:
        names = os.listdir(made) if os.path.isdir(made) else []
        end(0, "".join(name[len("cluster."):] + "\n" for name in names if name.startswith("cluster.")))
    if arguments[:2] == ["create", "cluster"]:
        make("cluster", option("--name"))
    if arguments[:2] == ["delete", "cluster"]:
        os.remove(path("cluster", option("--name")))
    end()

if tool == "istioctl":
    context = option("--context")
    if arguments[0] == "version":
        end(0, "client version: 1.28.3\n")
    if arguments[0] == "install":
        names = ["istio-eastwestgateway"] if "profile: empty" in text else ["istiod", "istio-ingressgateway"]
        for name in names:
            make(context, "deployment", "istio-system", name)
    if arguments[0] == "create-remote-secret":
        end(0, f'kind: Secret\nmetadata: {{name: istio-remote-secret-{option("--name")}, namespace: istio-system}}\n')
    end()

context = option("--context")
words = [word for at, word in enumerate(arguments) if not word.startswith("--request-timeout") and word not in ("--context", "-n")
         and (at == 0 or arguments[at - 1] not in ("--context", "-n"))]
namespace = option("-n")
if words[:2] == ["config", "get-contexts"]:
    end(0, "kind-meridian-primary\nkind-meridian-secondary\n")
if words[:2] == ["auth", "can-i"]:
    end(0, "yes\n")
if words[0] == "apply":
    if "metallb" in " ".join(words):
        make(context, "deployment", "metallb-system", "controller")
    for kind, place, name, item in items():
        make(context, kind.lower(), place, name, content=json.dumps(item))
    end()
if words[:2] == ["create", "secret"]:
    make(context, "secret", namespace, words[3])
    end()
if words[:2] == ["create", "configmap"]:
    end(0, f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {words[2]}\n  namespace: {namespace}\n")
if words[0] == "annotate":
    name = next(word for word in words if word.startswith("istio-remote-secret-"))
    make(context, "annotation", "istio-system", name, content=words[-1].partition("=")[2])
    end()
if words[0] == "diff":
    end()
if words[0] == "exec":
    if words[-1] == "clusters":
        # As a gateway that has heard of the subsets that this cluster was given.
        for name in os.listdir(made):
            if name.startswith(context + ".destinationrule."):
                spec = json.load(open(os.path.join(made, name)))["spec"]
                for subset in spec["subsets"]:
                    print(f'outbound_.9080_.{subset["name"]}_.{spec["host"]}::')
    if words[-1].startswith("stats"):
        print("wasmcustom.meridian_moved_total: 0")
    end()
if words[0] == "get" and "-f" in words:
    found = [item for kind, place, name, item in items() if os.path.exists(path(context, kind.lower(), place, name))]
    end(0, json.dumps({"items": found}) if found else "")
if words[:2] == ["get", "pods"] and option("-o") == "name":
    end()
if words[:2] == ["get", "pods"]:
    end(0, json.dumps({"items": [{"metadata": {"namespace": "istio-system", "name": "a-gateway"}}]}))
if words[:2] == ["get", "service"]:
    end(0, ("172.18.255.50" if "primary" in context else "172.18.255.100"))
if words[:2] == ["get", "secret"] and "-o" in words:
    file = path(context, "annotation", "istio-system", words[2])
    end(0, open(file).read() if os.path.exists(file) else "")
if words[0] == "get":
    end(0 if os.path.exists(path(context, words[1], namespace, words[2])) else 1)
end()
