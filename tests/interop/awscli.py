"""A stand-in for the `aws` command, by botocore's own models.

    awscli.py [--endpoint URL]                    serves; prints `listening PORT`
    a client sends {"argv": [...], "send": bool, "key": access key} and gets {"code", "out", "err"}: JSON, a line each

What it is for: the lines of `plan --script` are read as the real command reads them: services, operations, options and
their values by AWS's models; then each is sent to a fake, or only read.
What it must not do: accept what the real command refuses: an unknown option, a value that the model does not take, or a
required one that is missing. Shorthand is read in its plain form, `Name=a,Value=b`, only.
"""
import argparse
import json
import socketserver
import sys
import threading

import botocore.session
import jmespath
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError
from botocore.validate import ParamValidator

from child import serve_until_parent_ends

# The command's own names for services, where they differ from the models'.
MODELS = {"s3api": "s3"}
GLOBALS = {"region", "profile", "endpoint-url", "output", "query", "cli-connect-timeout", "cli-read-timeout"}
INTEGERS = ("integer", "long")


class Refused(Exception):
    """What the real command would not take: exit code 252."""


class Line:
    """A command line, read."""

    def __init__(self, argv, session):
        self.globals, self.words, self.options = {}, [], []
        rest = iter(argv)
        for word in rest:
            if not word.startswith("--"):
                if self.options:
                    # A further word of the option before it, as lists are written.
                    self.options[-1][1].append(word)
                else:
                    self.words.append(word)
            elif word[2:] in GLOBALS:
                try:
                    self.globals[word[2:]] = next(rest)
                except StopIteration:
                    raise Refused(f"{word}: expected one argument") from None
            else:
                self.options.append((word[2:], []))
        if len(self.words) != 2:
            raise Refused(f"a service and an operation, not {self.words}")
        self.service = MODELS.get(self.words[0], self.words[0])
        if self.words[0] in MODELS.values() or self.service not in session.get_available_services():
            raise Refused(f"there is no service {self.words[0]}")
        model = session.get_service_model(self.service)
        named = {xform_name(name, "-"): name for name in model.operation_names}
        if self.words[1] not in named:
            raise Refused(f"{self.words[0]} has no operation {self.words[1]}")
        self.operation = model.operation_model(named[self.words[1]])
        self.params = self.parameters()
        report = ParamValidator().validate(self.params, self.operation.input_shape)
        if report.has_errors():
            raise Refused(report.generate_report())
        if "query" in self.globals:
            jmespath.compile(self.globals["query"])
        if self.globals.get("output", "json") not in ("json", "text"):
            raise Refused(f"output {self.globals['output']} is not one that is read here")

    def parameters(self):
        shape, params = self.operation.input_shape, {}
        members = shape.members if shape else {}
        named = {xform_name(name, "-"): name for name in members}
        for option, values in self.options:
            off = option.startswith("no-") and members.get(named.get(option[3:]))
            if option not in named and not (off and off.type_name == "boolean"):
                raise Refused(f"Unknown options: --{option}")
            name = named[option] if option in named else named[option[3:]]
            if name in params:
                raise Refused(f"--{option} is given twice")
            params[name] = self.value(option, members[name], values, option in named)
        return params

    def value(self, option, shape, values, on):
        if shape.type_name == "boolean":
            if values:
                raise Refused(f"--{option} takes no value")
            return on
        if not values:
            raise Refused(f"--{option}: expected one argument")
        if shape.type_name in ("list", "structure", "map"):
            if values[0].lstrip()[:1] in ("{", "["):
                if len(values) != 1:
                    raise Refused(f"--{option}: JSON is one word")
                return json.loads(values[0])
            if shape.type_name == "list":
                return [self.item(option, shape.member, value) for value in values]
            return self.item(option, shape, values[0])
        if len(values) != 1:
            raise Refused(f"--{option}: one value, not {values}")
        return self.item(option, shape, values[0])

    @staticmethod
    def item(option, shape, value):
        if shape.type_name in INTEGERS:
            return int(value)
        if shape.type_name == "string":
            return value
        if shape.type_name == "structure":
            return dict(pair.split("=", 1) for pair in value.split(","))
        raise Refused(f"--{option}: a {shape.type_name} is not read here")


def nothing(line):
    """What stands in for the answer to a line that is only read, where another line is made of it."""
    if line.globals.get("output") == "text":
        return ""
    batch = {"Changes": [{"Action": "DELETE", "ResourceRecordSet": {"Name": "read.", "Type": "A"}}]}
    return (json.dumps(batch) if line.globals.get("query", "").startswith("{Changes:") else "[]") + "\n"


class Command:
    """Reads and sends."""

    def __init__(self, endpoint):
        self.endpoint, self.session, self.clients, self.lock = endpoint, botocore.session.get_session(), {}, threading.Lock()

    def client(self, line, access_key):
        # Route 53 has one endpoint, which the command knows without a region.
        region = line.globals.get("region", "us-east-1" if line.service == "route53" else None)
        if region is None:
            raise Refused("You must specify a region.")
        key = line.service, region, access_key
        with self.lock:
            if key not in self.clients:
                self.clients[key] = self.session.create_client(
                    line.service, region_name=region, endpoint_url=self.endpoint, aws_access_key_id=access_key,
                    aws_secret_access_key="script",
                    config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}))
            return self.clients[key]

    def run(self, argv, send, key):
        try:
            line = Line(argv, self.session)
        except (Refused, ParamValidationError, ValueError) as why:
            return {"code": 252, "out": "", "err": f"aws: {why}: {' '.join(argv)}\n"}
        if not send:
            return {"code": 0, "out": nothing(line), "err": ""}
        try:
            answer = self.answer(line, key)
        except Refused as why:
            return {"code": 253, "out": "", "err": f"aws: {why}: {' '.join(argv)}\n"}
        except ClientError as why:
            return {"code": 254, "out": "", "err": f"{why}\n"}
        if "query" in line.globals:
            answer = jmespath.search(line.globals["query"], answer)
        if line.globals.get("output") == "text":
            rows = answer if isinstance(answer, list) and any(isinstance(row, list) for row in answer) else [answer]
            out = "\n".join("\t".join(map(str, row)) if isinstance(row, list) else str(row) for row in rows)
        else:
            out = "" if answer in (None, {}) and "query" not in line.globals else json.dumps(answer, default=str)
        return {"code": 0, "out": out + "\n" if out else "", "err": ""}

    def answer(self, line, key):
        client, method = self.client(line, key), xform_name(line.operation.name)
        answer = None
        # As the command does: all pages are read, unless the line itself says which.
        if client.can_paginate(method):
            paginator = client.get_paginator(method)
            if not {*paginator._input_token, paginator._limit_key} & line.params.keys():
                answer = paginator.paginate(**line.params).build_full_result()
        if answer is None:
            answer = getattr(client, method)(**line.params)
        answer.pop("ResponseMetadata", None)
        return answer


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        asked = json.loads(self.rfile.readline())
        try:
            told = self.server.command.run(asked["argv"], asked["send"], asked["key"])
        except Exception as why:  # this program's own fault, which must not look like an answer
            told = {"code": 255, "out": "", "err": f"awscli.py: {why!r}: {asked['argv']}\n"}
        self.wfile.write(json.dumps(told).encode() + b"\n")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--endpoint")
    server = Server(("127.0.0.1", 0), Handler)
    server.command = Command(arguments.parse_args().endpoint)
    serve_until_parent_ends(server.server_address[1], server.serve_forever)
    sys.exit(0)
