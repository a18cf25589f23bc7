"""The plugin side of the contract: serves one policy to the host that started the process."""

import concurrent.futures
import json
import logging
import os
import queue
import signal
import sys
import threading

import grpc

from windvane import handshake, logs, wire
from windvane.proto import policy_pb2 as pb

_BY_HAND = """This is a windvane policy plugin. It is not run by hand: windvane starts it and talks to it.
Name it in windvane.toml, [plugin.NAME] with command = ["PATH"], or try it with "windvane plugin check PATH".
"""
_LARGEST = [("grpc.max_receive_message_length", 64 << 20), ("grpc.max_send_message_length", 64 << 20)]
_HEALTHY = b"\x08\x01"  # a grpc.health.v1.HealthCheckResponse with SERVING

_log = logging.getLogger("windvane")


def serve(policy):
    """Serves a policy until the host ends it or ends itself; then the process exits. It owns
    the process: standard output is the handshake's, and what is printed goes to the log, as
    does whatever is logged with the module logging."""
    if not handshake.started_by_host():
        sys.stderr.write(_BY_HAND)
        sys.exit(2)
    if not handshake.speaks_ours():
        sys.exit(f"the host speaks versions {os.environ['PLUGIN_PROTOCOL_VERSIONS']} of the protocol, this plugin {handshake.PROTOCOL}")
    logs.to_host()
    ended = queue.SimpleQueue()
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=8), options=_LARGEST)
    server.add_generic_rpc_handlers((_handlers(_Servicer(policy)), _health(), _controller(lambda: ended.put(0))))
    line = handshake.listen(server)
    server.start()
    signal.signal(signal.SIGTERM, lambda *_: ended.put(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C of a terminal is the host's to act upon
    if handshake.LIFELINE in os.environ:
        threading.Thread(target=_watch_host, args=(ended,), daemon=True).start()
    handshake.say(line)
    code = ended.get()
    server.stop(grace=0.5).wait()
    logging.shutdown()
    os._exit(code)  # even while the policy is at work


def _watch_host(ended):
    handshake.wait_for_end_of_host()
    _log.warning("the host has ended")
    ended.put(1)


class _Servicer:
    """Answers calls from a policy, one at a time."""

    def __init__(self, policy):
        self.policy, self.turn = policy, threading.Lock()

    def describe(self, _, context):
        return self._call(context, "describe", lambda: pb.DescribeResponse(description=wire.description(self.policy.describe())))

    def configure(self, request, context):
        if not request.HasField("config"):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the config is missing")

        def configure():
            c = request.config
            self.policy.configure(_settings(c.settings), json.loads(c.card) if c.card else None, c.artefact)
            return pb.ConfigureResponse()

        return self._call(context, "configure", configure, grpc.StatusCode.INVALID_ARGUMENT)

    def decide(self, request, context):
        if not request.HasField("observation"):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the observation is missing")
        try:
            observation = wire.observation(request.observation)
        except ValueError as err:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(err))
        return self._call(
            context, "decide", lambda: pb.DecideResponse(decision=wire.decision(self.policy.decide(observation), observation))
        )

    def export(self, request, context):
        return self._call(context, "export", lambda: pb.ExportResponse(table=wire.table(self.policy.export(request.rows))))

    def train(self, request, context):
        """Trains in a thread, so that its progress is told while it runs. A host that has
        had enough ends the process."""
        told = queue.SimpleQueue()

        def progress(done, total=0, note=""):
            told.put(pb.TrainResponse(progress=pb.Progress(done=done, total=total, note=note)))

        def train():
            try:
                trained = self.policy.train(request.simulator, request.seed, _settings(request.settings), progress)
                told.put(pb.TrainResponse(trained=pb.Trained(artefact=trained.artefact, summary=trained.summary)))
            except Exception as err:
                told.put(err)

        threading.Thread(target=train, daemon=True).start()
        while isinstance(message := told.get(), pb.TrainResponse):
            yield message
            if message.HasField("trained"):
                return
        self._fail(context, "train", message, grpc.StatusCode.UNKNOWN)

    def _call(self, context, what, work, code=grpc.StatusCode.UNKNOWN):
        with self.turn:
            if not context.is_active():  # a caller that has gone while it waited
                context.abort(grpc.StatusCode.CANCELLED, "the caller has gone")
            try:
                return work()
            except Exception as err:
                failure = err
        return self._fail(context, what, failure, code)

    def _fail(self, context, what, err, code):
        if isinstance(err, NotImplementedError):
            code = grpc.StatusCode.UNIMPLEMENTED
        _log.error("exception in the policy", extra={"call": what, "err": str(err)}, exc_info=err)
        context.abort(code, f"{what}: {type(err).__name__}: {err}")


def _settings(raw):
    settings = json.loads(raw) if raw else {}
    if not isinstance(settings, dict):
        raise ValueError(f"settings: {settings!r} is no JSON object")
    return settings


def _handlers(servicer):
    def unary(method, request, response):
        return grpc.unary_unary_rpc_method_handler(method, request.FromString, response.SerializeToString)

    return grpc.method_handlers_generic_handler(
        "windvane.policy.v1.Policy",
        {
            "Describe": unary(servicer.describe, pb.DescribeRequest, pb.DescribeResponse),
            "Configure": unary(servicer.configure, pb.ConfigureRequest, pb.ConfigureResponse),
            "Decide": unary(servicer.decide, pb.DecideRequest, pb.DecideResponse),
            "Export": unary(servicer.export, pb.ExportRequest, pb.ExportResponse),
            "Train": grpc.unary_stream_rpc_method_handler(servicer.train, pb.TrainRequest.FromString, pb.TrainResponse.SerializeToString),
        },
    )


def _health():
    check = grpc.unary_unary_rpc_method_handler(lambda _, context: _HEALTHY)
    return grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": check})


def _controller(end):
    def shutdown(_, context):
        end()
        return b""

    return grpc.method_handlers_generic_handler("plugin.GRPCController", {"Shutdown": grpc.unary_unary_rpc_method_handler(shutdown)})
