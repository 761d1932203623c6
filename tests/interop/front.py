"""moto's HTTP server with a front that the Rust SDK can talk to.

What it is for:
  * CloudWatch over Smithy RPC v2 CBOR, the only protocol of today's Rust SDK, which moto lacks. botocore
    serialises the decoded request into the JSON protocol and parses moto's JSON answer, both by AWS's own
    service model; this file only changes the encoding.
  * An operation that moto has not is answered `NotImplemented`, 501, in the caller's protocol.
  * Faults by rule, and a log of the calls.
What it must not do: make up or change a value that moto answers.

Prints `listening PORT` and ends when its standard input ends, so that it cannot outlive the test run.

  POST /_front/rules  {"access_key", "service", "region", "operation": which calls; "status" + "code" (+ "request_id")
                      | "hang": what befalls them}. Cases run side by side: each has an access key of its own.
  GET  /_front/calls  every call so far, oldest first
"""
import datetime
import io
import itertools
import json
import os
import re
import sys
import threading
import time
import urllib.parse
from http import HTTPStatus

import botocore.parsers
import botocore.serialize
import botocore.session
import cbor2
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

from child import serve_until_parent_ends

# Signing name to the name of botocore's model, where they differ.
MODELS = {"monitoring": "cloudwatch", "elasticloadbalancing": "elbv2"}
SCOPE = re.compile(r"Credential=([^/]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
CBOR_PATH = re.compile(r"/service/[^/]+/operation/([A-Za-z]+)$")


class Models:
    """botocore's service models, loaded once, and the operation that a REST request means."""

    def __init__(self):
        self.session, self.loaded, self.routes, self.lock = botocore.session.get_session(), {}, {}, threading.Lock()

    def get(self, signing_name):
        with self.lock:
            if signing_name not in self.loaded:
                name = MODELS.get(signing_name, signing_name)
                self.loaded[signing_name] = self.session.get_service_model(name)
            return self.loaded[signing_name]

    def rest_operation(self, signing_name, method, path, query):
        """The operation whose method, path pattern and fixed query keys fit best (most fixed text wins)."""
        if signing_name not in self.routes:
            model, routes = self.get(signing_name), []
            for name in model.operation_names:
                http = model.operation_model(name).http
                pattern, _, keys = http["requestUri"].partition("?")
                fixed = re.sub(r"\{[^}]*\}", "", pattern)
                regex = re.sub(r"\\\{[^}]*?\\\+\\\}", ".+", re.escape(pattern))
                regex = re.sub(r"\\\{[^}]*?\\\}", "[^/]+", regex)
                wanted = {key.split("=")[0] for key in keys.split("&") if key}
                routes.append((len(wanted), len(fixed), http["method"], re.compile(regex + "/?$"), wanted, name))
            self.routes[signing_name] = sorted(routes, key=lambda route: route[:2], reverse=True)
        present = set(urllib.parse.parse_qs(query, keep_blank_values=True))
        for _, _, verb, regex, wanted, name in self.routes[signing_name]:
            if verb == method and wanted <= present and regex.match(path):
                return name
        return f"{method} {path}"


class Call:
    """What a signed request asks for, and in which protocol it must be answered."""

    def __init__(self, environ, body, models):
        self.body = body
        scope = SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
        self.access_key, self.region, self.service = scope.groups() if scope else ("", "", "s3")
        path, target = environ.get("PATH_INFO", "/"), environ.get("HTTP_X_AMZ_TARGET")
        if environ.get("HTTP_SMITHY_PROTOCOL") == "rpc-v2-cbor":
            found = CBOR_PATH.search(path)
            self.protocol, self.operation = "cbor", found.group(1) if found else path
        elif target:
            self.protocol, self.operation = "json", target.rpartition(".")[2]
        elif environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
            fields = urllib.parse.parse_qs(body.decode("utf-8", "replace"))
            self.protocol, self.operation = "query", fields.get("Action", ["?"])[0]
        else:
            self.protocol = "s3" if self.service == "s3" else "xml"
            query = environ.get("QUERY_STRING", "")
            self.operation = models.rest_operation(self.service, environ["REQUEST_METHOD"], path, query)

    def error(self, status, code, message, request_id):
        """An error as the service would send it: status, headers, body."""
        headers = {"x-amzn-RequestId": request_id}
        if self.protocol == "cbor":
            headers |= {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
            return status, headers, cbor2.dumps({"__type": code, "message": message})
        if self.protocol == "json":
            headers |= {"Content-Type": "application/x-amz-json-1.1", "x-amzn-ErrorType": code}
            return status, headers, json.dumps({"__type": code, "message": message}).encode()
        headers["Content-Type"] = "text/xml"
        inner = f"<Code>{code}</Code><Message>{message}</Message>"
        if self.protocol == "s3":
            headers = {"x-amz-request-id": request_id, "Content-Type": "application/xml"}
            text = f"<Error>{inner}<RequestId>{request_id}</RequestId></Error>"
        else:
            text = f"<ErrorResponse><Error>{inner}</Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        return status, headers, text.encode()


class Front:
    """The WSGI application."""

    def __init__(self):
        self.models, self.rules, self.calls, self.ids = Models(), [], [], itertools.count(1)
        self.moto = DomainDispatcherApplication(self.backend)

    @staticmethod
    def backend(service):
        app = create_backend_app(service)
        app.config["PROPAGATE_EXCEPTIONS"] = True
        return app

    def __call__(self, environ, start_response):
        # A chunked body has no length; werkzeug marks its stream as ending by itself.
        size = -1 if environ.get("wsgi.input_terminated") else int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(size)
        if environ["PATH_INFO"].startswith("/_front/"):
            status, headers, data = self.control(environ, body)
        else:
            status, headers, data = self.answer(environ, body)
        if status is None:
            environ["werkzeug.socket"].close()
            status, headers, data = 502, {}, b""
        pairs = [(name, value) for name, value in dict(headers).items()
                 if name.lower() not in ("content-length", "transfer-encoding")]
        start_response(f"{status} {HTTPStatus(status).phrase}", pairs + [("Content-Length", str(len(data)))])
        return [data]

    def control(self, environ, body):
        wanted = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if wanted == ("POST", "/_front/rules"):
            self.rules.append(json.loads(body))
        elif wanted != ("GET", "/_front/calls"):
            return 404, {}, b""
        return 200, {"Content-Type": "application/json"}, json.dumps(self.calls).encode()

    def answer(self, environ, body):
        call, request_id = Call(environ, body, self.models), f"front-{next(self.ids):06}"
        rule = next((rule for rule in self.rules if self.fits(rule, call)), None)
        if rule and "hang" in rule:
            self.log(call, 0)
            time.sleep(rule["hang"])
            return None, {}, b""
        if rule:
            answer = call.error(rule["status"], rule["code"], rule.get("message", "injected by the test"),
                                rule.get("request_id", request_id))
        else:
            answer = self.moto_answer(call, environ, request_id)
        self.log(call, answer[0])
        return answer

    @staticmethod
    def fits(rule, call):
        keys = ("access_key", "service", "region", "operation")
        return all(rule.get(key, getattr(call, key)) == getattr(call, key) for key in keys)

    def log(self, call, status):
        series = []
        if call.operation == "GetMetricData" and call.protocol == "cbor":
            stats = (query.get("MetricStat") for query in cbor2.loads(call.body)["MetricDataQueries"])
            series = [[stat["Metric"]["Namespace"], stat["Stat"]] for stat in stats if stat]
        self.calls.append({"service": call.service, "region": call.region, "operation": call.operation,
                           "status": status, "access_key": call.access_key, "series": series,
                           "body": "" if call.protocol == "cbor" else call.body.decode("utf-8", "replace")})

    def moto_answer(self, call, environ, request_id):
        try:
            if call.protocol == "cbor":
                return self.cbor(call, environ, request_id)
            status, headers, data = self.forward(environ, call.body)
        except NotImplementedError as error:
            return call.error(501, "NotImplemented", str(error) or "moto has no such operation", request_id)
        except Exception as error:  # whatever moto trips over is a server error, as it would be at AWS
            return call.error(500, "InternalFailure", f"{type(error).__name__} in moto", request_id)
        page = next((value for name, value in headers if name.lower() == "content-type"), "").startswith("text/html")
        if page and status == 404:
            return call.error(501, "NotImplemented", "moto has no such operation", request_id)
        if page and status >= 500:
            return call.error(500, "InternalFailure", "moto failed", request_id)
        return status, headers, data

    def forward(self, environ, body):
        """moto's own answer: status, headers, body."""
        seen = {}

        def start_response(status, headers, _=None):
            seen["status"], seen["headers"] = int(status.split()[0]), headers

        environ = environ | {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        try:
            app = self.moto.get_application(environ)
        except AttributeError as error:
            raise NotImplementedError("moto has no such service") from error
        chunks = app(environ, start_response)
        data = b"".join(chunks)
        if hasattr(chunks, "close"):
            chunks.close()
        return seen["status"], seen["headers"], data

    def cbor(self, call, environ, request_id):
        operation = self.models.get(call.service).operation_model(call.operation)
        params = cbor2.loads(call.body) if call.body else {}
        request = botocore.serialize.create_serializer("json", False).serialize_to_request(params, operation)
        environ = {key: value for key, value in environ.items() if key != "HTTP_SMITHY_PROTOCOL"}
        environ |= {"PATH_INFO": "/", "RAW_URI": "/", "REQUEST_URI": "/",
                    "CONTENT_TYPE": request["headers"]["Content-Type"],
                    "HTTP_X_AMZ_TARGET": request["headers"]["X-Amz-Target"]}
        status, headers, data = self.forward(environ, request["body"])
        answer = {"status_code": status, "headers": dict(headers), "body": data}
        parsed = botocore.parsers.create_parser("json").parse(answer, operation.output_shape)
        if status >= 300:
            problem = parsed.get("Error", {})
            return call.error(status, problem.get("Code", "InternalFailure"), problem.get("Message", ""), request_id)
        parsed.pop("ResponseMetadata", None)
        data = cbor2.dumps(with_model_types(parsed, operation.output_shape), datetime_as_timestamp=True)
        return 200, {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor",
                     "x-amzn-RequestId": request_id}, data


def with_model_types(value, shape):
    """The parsed answer with every double a CBOR float and every time a CBOR time, as the model demands."""
    if shape is None or value is None:
        return value
    if shape.type_name == "structure":
        return {key: with_model_types(item, shape.members.get(key)) for key, item in value.items() if item is not None}
    if shape.type_name == "list":
        return [with_model_types(item, shape.member) for item in value]
    if shape.type_name == "map":
        return {key: with_model_types(item, shape.value) for key, item in value.items()}
    if shape.type_name in ("double", "float"):
        return float(value)
    if shape.type_name == "timestamp" and isinstance(value, datetime.datetime):
        return value if value.tzinfo else value.replace(tzinfo=datetime.timezone.utc)
    return value


class Handler(MotoRequestHandler):
    """Keeps connections open and sends small answers at once, as AWS does; logs nothing."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_request(self, *_):
        pass


if __name__ == "__main__":
    server = make_server("127.0.0.1", 0, Front(), threaded=True, request_handler=Handler)
    os.environ["MOTO_PORT"] = str(server.server_port)
    serve_until_parent_ends(server.server_port, server.serve_forever)
    sys.exit(0)
