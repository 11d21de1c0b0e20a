# gRPC of C-core for the matrix of data planes, proxyless; the same commands and lines as grpc-echo.mjs.
import json
import os
import sys
import threading
import time
from concurrent import futures

import grpc
import grpc.experimental

role, args = sys.argv[1], sys.argv[2:]

if role == "serve":
    port, name = args
    handler = grpc.unary_unary_rpc_method_handler(
        lambda request, context: name, request_deserializer=bytes.decode, response_serializer=str.encode
    )
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8), xds=True)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("matrix.Echo", {"Say": handler}),))
    credentials = grpc.xds_server_credentials(grpc.insecure_server_credentials())
    server.add_secure_port(f"{os.environ['BIPLANE_POD_IP']}:{port}", credentials)
    server.start()
    print("serving", flush=True)
    server.wait_for_termination()

lock = threading.Lock()
counts = {}
state = {"slowestMs": 0}


def work(ask):
    # a channel that has lost its connection is not to wait longer than the test does
    options = [("grpc.max_reconnect_backoff_ms", 500), ("grpc.initial_reconnect_backoff_ms", 100)]
    credentials = grpc.xds_channel_credentials(grpc.experimental.insecure_channel_credentials())
    channel = grpc.secure_channel(f"xds:///{ask['target']}", credentials, options=options)
    call = channel.unary_unary("/matrix.Echo/Say", request_serializer=str.encode, response_deserializer=bytes.decode)
    metadata = list(ask.get("headers", {}).items())
    while True:
        begin = time.monotonic()
        try:
            what = f"OK {call('x', timeout=10, metadata=metadata)}"
        except grpc.RpcError as error:
            what = error.code().name
            with lock:
                state["lastFailure"] = f"{time.time()} {ask['name']}: {what} {error.details()}"
        with lock:
            key = f"{ask['name']} {what}"
            counts[key] = counts.get(key, 0) + 1
            state["slowestMs"] = max(state["slowestMs"], round((time.monotonic() - begin) * 1000))
        time.sleep(ask.get("everyMs", 10) / 1000)


for one in json.loads(args[0]):
    for _ in range(one.get("workers", 1)):
        threading.Thread(target=work, args=(one,), daemon=True).start()
while True:
    with lock:
        print(json.dumps({"counts": counts, **state}), flush=True)
    time.sleep(0.1)
