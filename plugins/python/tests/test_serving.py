"""A plugin as a process. Under windvane's own host it is tested by host_test.go."""

import os
import pathlib
import subprocess
import sys

import grpc
import pytest

from windvane.proto import policy_pb2 as pb

PLUGIN = pathlib.Path(__file__).resolve().parents[1] / "examples/threshold.py"


def start(tmp_path, **more):
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", ""), "PLUGIN_UNIX_SOCKET_DIR": str(tmp_path), **more}
    return subprocess.Popen(
        [sys.executable, PLUGIN], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        pass_fds=[int(more["WINDVANE_PLUGIN_LIFELINE"])] if "WINDVANE_PLUGIN_LIFELINE" in more else [],
    )


HOSTED = {"WINDVANE_PLUGIN": "windvane.policy.v1", "PLUGIN_PROTOCOL_VERSIONS": "2,1"}


def test_by_hand_it_says_what_it_is(tmp_path):
    plugin = start(tmp_path)
    out, err = plugin.communicate(timeout=30)
    assert (plugin.returncode, out) == (2, "") and "windvane plugin check" in err


def test_another_protocol_is_refused(tmp_path):
    plugin = start(tmp_path, **{**HOSTED, "PLUGIN_PROTOCOL_VERSIONS": "2,3"})
    out, err = plugin.communicate(timeout=30)
    assert (plugin.returncode, out) == (1, "") and "versions 2,3" in err


@pytest.fixture
def plugin(tmp_path):
    """One without certificates, and a channel to it."""
    process = start(tmp_path, **HOSTED)
    line = process.stdout.readline().rstrip("\n").split("|")
    assert line[:3] + line[4:] == ["1", "1", "unix", "grpc"] and line[3].startswith(str(tmp_path))
    with grpc.insecure_channel("unix:" + line[3]) as channel:
        yield process, channel
    process.kill()
    process.communicate()


def call(channel, method, request=b""):
    return channel.unary_unary(method)(request, timeout=30)


def test_answers_describe_and_health_and_ends_when_asked(plugin):
    process, channel = plugin
    assert call(channel, "/grpc.health.v1.Health/Check", b"\n\x06plugin") == b"\x08\x01"
    described = pb.DescribeResponse.FromString(call(channel, "/windvane.policy.v1.Policy/Describe"))
    assert described.description == pb.Description(name="ten-lines", version="1.0.0")
    assert call(channel, "/plugin.GRPCController/Shutdown") == b""
    assert process.wait(timeout=30) == 0


@pytest.mark.parametrize(
    ("method", "request_", "code", "says"),
    [
        ("Decide", pb.DecideRequest(), grpc.StatusCode.INVALID_ARGUMENT, "observation is missing"),
        ("Decide", pb.DecideRequest(observation=pb.Observation()), grpc.StatusCode.INVALID_ARGUMENT, "limits are missing"),
        (
            "Decide",
            pb.DecideRequest(observation=pb.Observation(limits=pb.Limits(), state=[pb.Signal(name="x", service="a")])),
            grpc.StatusCode.INVALID_ARGUMENT,
            "signal x of a, role: unknown number 0",
        ),
        ("Configure", pb.ConfigureRequest(), grpc.StatusCode.INVALID_ARGUMENT, "config is missing"),
        ("Configure", pb.ConfigureRequest(config=pb.Config(settings=b"{")), grpc.StatusCode.INVALID_ARGUMENT, "JSONDecodeError"),
        ("Export", pb.ExportRequest(rows=1), grpc.StatusCode.UNIMPLEMENTED, "export"),
    ],
)
def test_malformed_requests_are_told(plugin, method, request_, code, says):
    with pytest.raises(grpc.RpcError) as failed:
        call(plugin[1], f"/windvane.policy.v1.Policy/{method}", request_.SerializeToString())
    assert failed.value.code() == code and says in failed.value.details()
    assert plugin[0].poll() is None


def test_ends_with_its_host(tmp_path):
    ours, theirs = os.pipe()
    plugin = start(tmp_path, WINDVANE_PLUGIN_LIFELINE=str(ours), **HOSTED)
    os.close(ours)
    plugin.stdout.readline()
    os.close(theirs)
    _, err = plugin.communicate(timeout=30)
    assert plugin.returncode == 1 and '"@message": "the host has ended"' in err
