"""Where the programs are that Debian does not have: in build/tools, where `./run deploy-tools` puts
them at the versions that are meant, or in $PATH."""
import importlib.util
import os
import pathlib
import shutil

from chart import TOP

FOLDER = TOP / "build/tools"
SCHEMAS = "kubernetes_validate/kubernetes-json-schema"


def program(name):
    """Its path, or None. Helm may be named, as for the other tests."""
    named = os.environ.get("KEYWARD_HELM") if name == "helm" else None
    return named or shutil.which(name, path=os.pathsep.join((str(FOLDER / "bin"), str(FOLDER / "python/bin"), os.environ["PATH"])))


def schema_folder():
    """Kubernetes' schemas, which the Python package kubernetes-validate brings along; or None."""
    found = importlib.util.find_spec("kubernetes_validate")
    here = [pathlib.Path(found.origin).parents[1] / SCHEMAS] if found else []
    return next(iter(here + sorted(FOLDER.glob("python/lib/python3*/site-packages/" + SCHEMAS))), None)
