"""Small disks and read-only places, mounted in a namespace of the test's own, so that nothing is left behind."""
import os
import subprocess
import sys

WAYS = (["unshare", "--mount"], ["unshare", "--user", "--map-root-user", "--mount"])  # as root, or as anybody


def enter_own_namespace():
    """Starts this program again where it may mount; where the system forbids that, goes on and the tests skip."""
    if os.environ.get("DETENT_TEST_MOUNTS"):
        return
    for way in WAYS:
        try:
            allowed = subprocess.run([*way, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True).returncode == 0
        except FileNotFoundError:
            allowed = False
        os.environ["DETENT_TEST_MOUNTS"] = "yes" if allowed else "no"
        if allowed:
            os.execvp(way[0], [*way, sys.executable, *sys.argv])


def mount(case, path, *options):
    """For the length of a test of `case`."""
    if os.environ["DETENT_TEST_MOUNTS"] != "yes":
        case.skipTest("this system lets nobody mount: unshare --mount is forbidden")
    path.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", *options, str(path)], check=True)
    case.addCleanup(subprocess.run, ["umount", "--lazy", str(path)], capture_output=True)


def remount(path, options):
    subprocess.run(["mount", "-o", f"remount,{options}", str(path)], check=True)


def unmount(path):
    subprocess.run(["umount", str(path)], check=True)
