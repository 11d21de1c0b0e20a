# A proxyless gRPC client or server of C-core in a process of its own; the same lines as grpc-peer.mjs.
import json
import os
import sys
from concurrent import futures

import grpc
import grpc.experimental

role, where = sys.argv[1], sys.argv[2]


def say(value):
    print(json.dumps(value), flush=True)


def text(value):
    return value.encode()


if role == "server":
    handler = grpc.unary_unary_rpc_method_handler(
        lambda request, context: f"{os.environ['NAME']} {request}", request_deserializer=bytes.decode, response_serializer=text
    )
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4), xds=True)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("demo.Echo", {"Say": handler}),))
    server.add_secure_port(f"127.0.0.1:{where}", grpc.xds_server_credentials(grpc.insecure_server_credentials()))
    server.start()
    say({"ready": True})
    server.wait_for_termination()
else:
    channel = grpc.secure_channel(f"xds:///{where}", grpc.xds_channel_credentials(grpc.experimental.insecure_channel_credentials()))
    call = channel.unary_unary("/demo.Echo/Say", request_serializer=text, response_deserializer=bytes.decode)
    say({"ready": True})
    for line in sys.stdin:
        replies = {}
        for _ in range(json.loads(line)["calls"]):
            try:
                reply = call("x", timeout=8)
            except grpc.RpcError as error:
                reply = f"ERROR {error.code().value[0]} {error.details()}"
            replies[reply] = replies.get(reply, 0) + 1
        say({"replies": replies})
