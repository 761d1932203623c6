#!/usr/bin/env python3
"""boto3 against `switchtower sim --listen`: an independent client reads every operation and every error.

    python check_sim.py --endpoint http://127.0.0.1:PORT [--only TEXT]
    python check_sim.py --list

One line a case on stdout, `ok NAME` or `FAIL NAME: why`; exit code 1 when one failed. Requests are serialised and
answers parsed by botocore's own code from botocore's own service models, so that an answer that is not AWS's shape
fails here. The cases under `fault/` start scenarios in the served world and end with `calm`.
"""
import argparse
import datetime as dt
import json
import sys
import time
import traceback
import urllib.error
import urllib.request

CASES = []


def case(name):
    """Registers a case. Cases run in the order in which they are written."""

    def register(function):
        CASES.append((name, function))
        return function

    return register


class Failure(Exception):
    """What was expected and what came."""


def same(found, expected, what="value"):
    if found != expected:
        raise Failure(f"{what}: expected {expected!r}, found {found!r}")


def holds(truth, what):
    if not truth:
        raise Failure(what)


class World:
    """Clients of the simulation, and the truth about it."""

    def __init__(self, endpoint):
        self.endpoint = endpoint.rstrip("/")
        self.clients = {}
        self.regions = [region["region"] for region in self.truth()["regions"]]

    # -- the simulation's own paths

    def http(self, method, path, body=None, timeout=20):
        request = urllib.request.Request(self.endpoint + path, method=method, data=body)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=timeout) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def truth(self):
        status, body = self.http("GET", "/_sim/world")
        same(status, 200, "status of /_sim/world")
        return json.loads(body)

    def calls(self):
        return json.loads(self.http("GET", "/_sim/calls")[1])

    def start(self, scenario, region=None):
        wanted = {"name": scenario} | ({"region": region} if region else {})
        status, body = self.http("POST", "/_sim/scenario", json.dumps(wanted).encode())
        same(status, 200, f"starting {scenario}: {body!r}")

    # -- AWS

    def client(self, service, region=None, attempts=8, protocol=None, read_timeout=20):
        """A client; throttled calls are tried again, unless `attempts` is 1."""
        import boto3
        from botocore.config import Config

        region = region or self.regions[0]
        key = (service, region, attempts, protocol, read_timeout)
        if key not in self.clients:
            session = boto3.Session(
                aws_access_key_id="AKIDINDEPENDENT00001",
                aws_secret_access_key="an/independent/secret",
                aws_session_token="token",
                region_name=region,
            )
            if protocol:
                speak(session, service, protocol)
            config = Config(
                retries={"mode": "standard", "total_max_attempts": attempts},
                connect_timeout=5,
                read_timeout=read_timeout,
                proxies={},
                s3={"addressing_style": "path"},
            )
            self.clients[key] = session.client(service, endpoint_url=self.endpoint, config=config)
        return self.clients[key]

    def refused(self, service, code, operation, region=None, protocol=None, status=None, attempts=1, **arguments):
        """Makes a call that must fail with `code`."""
        from botocore.exceptions import ClientError

        client = self.client(service, region, attempts=attempts, protocol=protocol)
        # A rate limit on the way is not what is being asked about.
        for _ in range(40):
            try:
                answer = getattr(client, operation)(**arguments)
            except ClientError as error:
                found = error.response["Error"].get("Code")
                if found in ("Throttling", "ThrottlingException") and found != code:
                    time.sleep(0.25)
                    continue
                same(found, code, f"{service}.{operation} error code")
                if status:
                    same(error.response["ResponseMetadata"]["HTTPStatusCode"], status, "HTTP status")
                holds(error.response["ResponseMetadata"].get("RequestId"), "an error carries a request id")
                return error
            raise Failure(f"{service}.{operation}: expected {code}, but it answered {answer!r:.200}")
        raise Failure(f"{service}.{operation}: throttled all the time")

    def other(self):
        """A region that is not the first."""
        return self.regions[1]


def speak(session, service, protocol):
    """Lets a session's client of a service speak one protocol, as an older SDK would."""
    loader = session._session.get_component("data_loader")
    load = loader.load_service_model

    def load_service_model(service_name, type_name, api_version=None):
        model = load(service_name, type_name, api_version)
        if service_name == service and type_name == "service-2":
            model = dict(model, metadata=dict(model["metadata"], protocol=protocol, protocols=[protocol]))
        return model

    loader.load_service_model = load_service_model


def bare(answer):
    """An answer without what differs from call to call."""
    return {key: value for key, value in answer.items() if key not in ("ResponseMetadata", "NextToken")}


def joined(client, operation, key, size, **arguments):
    """All items of a paginated operation, `size` a page, and the number of pages."""
    items, pages = [], 0
    for page in client.get_paginator(operation).paginate(PaginationConfig={"PageSize": size}, **arguments):
        items += page.get(key, [])
        pages += 1
        holds(pages < 5_000, f"{operation} never ends")
    return items, pages


def paged(client, operation, key, sizes=(1, 2, 3), **arguments):
    """Pages joined must be what one call gives; returns that."""
    whole = getattr(client, operation)(**arguments)[key]
    for size in sizes:
        items, pages = joined(client, operation, key, size, **arguments)
        same(items, whole, f"{operation} in pages of {size}")
        holds(pages >= -(-len(whole) // size), f"{operation}: {len(whole)} items on {pages} pages of {size}")
    return whole


# ------------------------------------------------------------------ the simulation itself


@case("sim/world")
def _(world):
    truth = world.truth()
    holds(len(truth["regions"]) >= 2, "two regions or more")
    fields = {"region", "up", "in_dns", "healthy_tasks", "served_last_minute", "failed_last_minute"}
    for region in truth["regions"]:
        holds(fields <= set(region), f"fields of {region}")
    moment = dt.datetime.fromisoformat(truth["now"][:19] + "+00:00")
    holds(abs((moment - dt.datetime.now(dt.timezone.utc)).total_seconds()) < 120, f"the clock is real: {moment}")
    holds(truth["aurora_writer"] in world.regions, "Aurora's writer is in a region of the world")


@case("sim/calls")
def _(world):
    same(world.http("DELETE", "/_sim/calls")[0], 200, "status")
    world.client("sts").get_caller_identity()
    world.client("ecs", world.other()).list_clusters()
    found = [(call["service"], call["operation"], call["region"], call["status"]) for call in world.calls()]
    same(
        found,
        [("sts", "GetCallerIdentity", world.regions[0], 200), ("ecs", "ListClusters", world.other(), 200)],
        "call log",
    )
    holds(not any(call["mutating"] for call in world.calls()), "reads are not mutating")


@case("sim/application")
def _(world):
    for region in world.regions:
        same(world.http("GET", f"/_sim/app/{region}/health")[0], 200, f"application in {region}")
    same(world.http("GET", "/_sim/app/nowhere-1/health")[0], 404, "application elsewhere")


@case("sim/refuses-what-it-is-not")
def _(world):
    same(world.http("GET", "/latest/meta-data/iam/")[0], 403, "unsigned request")
    same(world.http("GET", "/_sim/nothing")[0], 404, "unknown path")
    same(world.http("POST", "/_sim/scenario", b'{"name": "earthquake"}')[0], 400, "unknown scenario")
    same(world.http("POST", "/_sim/scenario", b"{")[0], 400, "not JSON")
    queues = world.client("sqs", attempts=1)
    try:
        queues.list_queues()
    except queues.exceptions.ClientError as error:
        same(error.response["ResponseMetadata"]["HTTPStatusCode"], 501, "a service that is not simulated")
    else:
        raise Failure("a service that is not simulated answered")


# ------------------------------------------------------------------ STS


@case("sts/identity")
def _(world):
    for region in world.regions:
        identity = world.client("sts", region).get_caller_identity()
        holds(identity["Account"].isdigit() and len(identity["Account"]) == 12, "account number")
        holds(identity["Arn"].startswith(f"arn:aws:sts::{identity['Account']}:"), identity["Arn"])
        holds(identity["UserId"], "user id")


@case("sts/assume-role")
def _(world):
    import boto3
    from botocore.config import Config

    role = "arn:aws:iam::999988887777:role/teams/switchtower-dns"
    taken = world.client("sts").assume_role(RoleArn=role, RoleSessionName="night-shift", DurationSeconds=900)
    same(taken["AssumedRoleUser"]["Arn"], "arn:aws:sts::999988887777:assumed-role/switchtower-dns/night-shift", "ARN")
    keys = taken["Credentials"]
    left = (keys["Expiration"] - dt.datetime.now(dt.timezone.utc)).total_seconds()
    holds(840 < left <= 901, f"{left} s left of 900")

    def who(token):
        session = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], token, region_name=world.regions[0])
        config = Config(retries={"total_max_attempts": 1}, proxies={})
        return session.client("sts", endpoint_url=world.endpoint, config=config)

    identity = who(keys["SessionToken"]).get_caller_identity()
    same((identity["Account"], identity["Arn"]), ("999988887777", taken["AssumedRoleUser"]["Arn"]), "identity")
    same(identity["UserId"], taken["AssumedRoleUser"]["AssumedRoleId"], "user id")
    for token in ("another", None):
        try:
            who(token).get_caller_identity()
        except world.client("sts").exceptions.ClientError as error:
            same(error.response["Error"]["Code"], "InvalidClientTokenId", "a key without its token")
        else:
            raise Failure("a key without its token was accepted")


@case("sts/errors")
def _(world):
    world.refused("sts", "InvalidAction", "get_session_token", status=400)
    role = "arn:aws:iam::123456789012:role/switchtower-ops"
    asked = {"RoleArn": role, "RoleSessionName": "me"}
    theirs = role.replace("switchtower-", "their-")
    denied = world.refused("sts", "AccessDenied", "assume_role", status=403, **asked | {"RoleArn": theirs})
    holds(f"is not authorized to perform: sts:AssumeRole on resource: {theirs}" in str(denied), str(denied))
    user = role.replace("role/", "user/")
    for wrong in ({"RoleArn": user}, {"RoleSessionName": "not a name"}, {"DurationSeconds": 3601}):
        world.refused("sts", "ValidationError", "assume_role", status=400, **asked | wrong)


# ------------------------------------------------------------------ Route 53


def zone_id(world):
    return world.client("route53").list_hosted_zones()["HostedZones"][0]["Id"]


@case("route53/zones")
def _(world):
    client = world.client("route53")
    zones = paged(client, "list_hosted_zones", "HostedZones", sizes=(1,))
    same([zone["Name"] for zone in zones], ["example.com."], "zones")
    same(client.list_hosted_zones_by_name(DNSName="example.com")["HostedZones"], zones, "zones by name")
    same(client.list_hosted_zones_by_name(DNSName="zzz.zz")["HostedZones"], [], "zones after zzz.zz")
    zone = client.get_hosted_zone(Id=zones[0]["Id"])
    same(zone["HostedZone"], zones[0], "GetHostedZone")
    same(len(zone["DelegationSet"]["NameServers"]), 4, "name servers")
    records = client.list_resource_record_sets(HostedZoneId=zones[0]["Id"])["ResourceRecordSets"]
    same(zones[0]["ResourceRecordSetCount"], len(records), "record set count")


@case("route53/records")
def _(world):
    client = world.client("route53")
    zone = zone_id(world)
    records = paged(client, "list_resource_record_sets", "ResourceRecordSets", sizes=(1, 4, 7), HostedZoneId=zone)
    latency = [record for record in records if record["Name"] == "api.example.com." and record["Type"] == "A"]
    same(sorted(record["Region"] for record in latency), sorted(world.regions), "regions of api.example.com")
    for record in latency:
        same(record["SetIdentifier"], record["Region"], "set identifier")
        balancer = world.client("elbv2", record["Region"]).describe_load_balancers()["LoadBalancers"][0]
        same(record["AliasTarget"]["HostedZoneId"], balancer["CanonicalHostedZoneId"], "alias zone")
        same(record["AliasTarget"]["DNSName"].lower(), f"dualstack.{balancer['DNSName']}.".lower(), "alias name")
        holds(record["AliasTarget"]["EvaluateTargetHealth"] is True, "EvaluateTargetHealth")
        holds("TTL" not in record and not record.get("ResourceRecords"), "an alias has no TTL and no values")
    some = client.list_resource_record_sets(HostedZoneId=zone, StartRecordName="www.example.com", StartRecordType="AAAA")
    names = {(record["Name"], record["Type"]) for record in some["ResourceRecordSets"]}
    holds(("www.example.com.", "AAAA") in names and ("www.example.com.", "A") not in names, f"start of the list: {names}")


@case("route53/health-checks")
def _(world):
    client = world.client("route53")
    checks = paged(client, "list_health_checks", "HealthChecks", sizes=(1, 2))
    same(len(checks), len(world.regions), "health checks")
    for check in checks:
        same(client.get_health_check(HealthCheckId=check["Id"])["HealthCheck"], check, "GetHealthCheck")
        config = check["HealthCheckConfig"]
        same((config["Inverted"], config["Disabled"]), (False, False), "flags")
        status = client.get_health_check_status(HealthCheckId=check["Id"])["HealthCheckObservations"]
        same(len({observation["IPAddress"] for observation in status}), 16, "checkers")
        for observation in status:
            holds(observation["StatusReport"]["Status"].startswith("Success: HTTP Status Code 200"), "status")
            age = dt.datetime.now(dt.timezone.utc) - observation["StatusReport"]["CheckedTime"]
            holds(-5 < age.total_seconds() < 60, f"checked {age} ago")
        client.get_health_check_last_failure_reason(HealthCheckId=check["Id"])["HealthCheckObservations"]
        tags = client.list_tags_for_resource(ResourceType="healthcheck", ResourceId=check["Id"])
        same(tags["ResourceTagSet"]["ResourceId"], check["Id"], "tags")


@case("route53/errors")
def _(world):
    zone = zone_id(world)
    refused = lambda code, operation, **more: world.refused("route53", code, operation, **more)
    refused("NoSuchHostedZone", "get_hosted_zone", Id="ZNOWHERE00000", status=404)
    refused("NoSuchHostedZone", "list_resource_record_sets", HostedZoneId="ZNOWHERE00000", status=404)
    unknown = "00000000-0000-4000-8000-000000000000"
    refused("NoSuchHealthCheck", "get_health_check", HealthCheckId=unknown, status=404)
    refused("NoSuchHealthCheck", "get_health_check_status", HealthCheckId=unknown)
    refused("NoSuchHealthCheck", "get_health_check_last_failure_reason", HealthCheckId=unknown)
    refused("NoSuchHealthCheck", "list_tags_for_resource", ResourceType="healthcheck", ResourceId=unknown)
    refused("NoSuchChange", "get_change", Id="C0000000000000", status=404)
    refused("InvalidInput", "list_resource_record_sets", HostedZoneId=zone, StartRecordType="A", status=400)
    refused("InvalidInput", "list_hosted_zones_by_name", HostedZoneId="ZNOWHERE00000")
    refused("InvalidInput", "list_health_checks", Marker="nonsense")
    refused("NotImplemented", "list_reusable_delegation_sets", status=501)


# ------------------------------------------------------------------ Elastic Load Balancing


@case("elbv2/load-balancers")
def _(world):
    for region in world.regions:
        client = world.client("elbv2", region)
        balancers = paged(client, "describe_load_balancers", "LoadBalancers", sizes=(1,))
        same(len(balancers), 1, "load balancers")
        balancer = balancers[0]
        arn = balancer["LoadBalancerArn"]
        holds(f":{region}:" in arn, arn)
        same((balancer["State"]["Code"], balancer["Type"]), ("active", "application"), "state and type")
        same(client.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"], balancers, "by ARN")
        same(client.describe_load_balancers(Names=[balancer["LoadBalancerName"]])["LoadBalancers"], balancers, "by name")
        attributes = client.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
        holds("client_keep_alive.seconds" in {attribute["Key"] for attribute in attributes}, "attributes")
        listeners = paged(client, "describe_listeners", "Listeners", sizes=(1,), LoadBalancerArn=arn)
        same((listeners[0]["Port"], listeners[0]["Protocol"]), (443, "HTTPS"), "listener")
        named = client.describe_listeners(ListenerArns=[listeners[0]["ListenerArn"]])["Listeners"]
        same(named, listeners, "listener by ARN")
        tags = client.describe_tags(ResourceArns=[arn])["TagDescriptions"]
        same([one["ResourceArn"] for one in tags], [arn], "tags")


@case("elbv2/targets")
def _(world):
    for region in world.regions:
        client = world.client("elbv2", region)
        groups = paged(client, "describe_target_groups", "TargetGroups", sizes=(1, 2))
        arn = client.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]
        same(client.describe_target_groups(LoadBalancerArn=arn)["TargetGroups"], groups, "groups of the balancer")
        by_arn = client.describe_target_groups(TargetGroupArns=[group["TargetGroupArn"] for group in groups])
        same(by_arn["TargetGroups"], groups, "groups by ARN")
        healthy = 0
        for group in groups:
            same(group["LoadBalancerArns"], [arn], "the group's balancer")
            targets = client.describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
            holds(targets, "targets")
            healthy += sum(target["TargetHealth"]["State"] == "healthy" for target in targets)
            attributes = client.describe_target_group_attributes(TargetGroupArn=group["TargetGroupArn"])["Attributes"]
            holds("deregistration_delay.timeout_seconds" in {one["Key"] for one in attributes}, "attributes")
        truth = {one["region"]: one["healthy_tasks"] for one in world.truth()["regions"]}
        same(healthy, truth[region], f"healthy targets of {region}")


@case("elbv2/errors")
def _(world):
    refused = lambda code, operation, **more: world.refused("elbv2", code, operation, **more)
    arn = f"arn:aws:elasticloadbalancing:{world.regions[0]}:123456789012:"
    balancer, group = arn + "loadbalancer/app/x/0123456789abcdef", arn + "targetgroup/x/0123456789abcdef"
    refused("LoadBalancerNotFound", "describe_load_balancers", LoadBalancerArns=[balancer], status=400)
    refused("LoadBalancerNotFound", "describe_load_balancers", Names=["x"])
    refused("LoadBalancerNotFound", "describe_load_balancer_attributes", LoadBalancerArn=balancer)
    refused("LoadBalancerNotFound", "describe_listeners", LoadBalancerArn=balancer)
    refused("ListenerNotFound", "describe_listeners", ListenerArns=[arn + "listener/app/x/0123456789abcdef/0123456789abcdef"])
    refused("TargetGroupNotFound", "describe_target_groups", TargetGroupArns=[group])
    refused("TargetGroupNotFound", "describe_target_health", TargetGroupArn=group)
    refused("TargetGroupNotFound", "describe_target_group_attributes", TargetGroupArn=group)
    refused("ValidationError", "describe_load_balancers", Marker="nonsense")
    refused("ValidationError", "describe_load_balancers", LoadBalancerArns=[balancer] * 21)
    refused("ValidationError", "describe_tags", ResourceArns=[balancer] * 21)
    refused("ValidationError", "describe_listeners")
    refused("InvalidAction", "describe_ssl_policies")


# ------------------------------------------------------------------ EC2


@case("ec2/subnets")
def _(world):
    for region in world.regions:
        ecs = world.client("ecs", region)
        cluster = ecs.list_clusters()["clusterArns"][0]
        services = ecs.list_services(cluster=cluster, maxResults=100)["serviceArns"]
        described = ecs.describe_services(cluster=cluster, services=services[:10])["services"]
        named = {subnet for one in described for subnet in one["networkConfiguration"]["awsvpcConfiguration"]["subnets"]}
        client = world.client("ec2", region)
        subnets = client.describe_subnets()["Subnets"]
        same({subnet["SubnetId"] for subnet in subnets}, named, "subnets of the services")
        holds(all(0 < subnet["AvailableIpAddressCount"] < 251 for subnet in subnets), "free addresses")
        holds(all(subnet["AvailabilityZone"].startswith(region) for subnet in subnets), "zones")
        one = subnets[0]["SubnetId"]
        same(client.describe_subnets(SubnetIds=[one])["Subnets"], subnets[:1], "by id")
        filters = [{"Name": "subnet-id", "Values": [one, "subnet-0none"]}, {"Name": "vpc-id", "Values": [subnets[0]["VpcId"]]}]
        same(client.describe_subnets(Filters=filters)["Subnets"], subnets[:1], "by filters")


@case("ec2/errors")
def _(world):
    refused = lambda code, operation, **more: world.refused("ec2", code, operation, **more)
    refused("InvalidSubnetID.NotFound", "describe_subnets", SubnetIds=["subnet-0none"], status=400)
    refused("InvalidParameterValue", "describe_subnets", Filters=[{"Name": "nonsense", "Values": ["x"]}])
    refused("InvalidAction", "describe_vpcs")


# ------------------------------------------------------------------ ECS


@case("ecs/clusters-and-services")
def _(world):
    for region in world.regions:
        client = world.client("ecs", region)
        clusters = client.list_clusters()["clusterArns"]
        same(len(clusters), 1, "clusters")
        described = client.describe_clusters(clusters=clusters + ["nowhere"])
        same([cluster["clusterArn"] for cluster in described["clusters"]], clusters, "described clusters")
        same([failure["reason"] for failure in described["failures"]], ["MISSING"], "failures")
        services = client.list_services(cluster=clusters[0], maxResults=100)["serviceArns"]
        for size in (1, 2):
            items, _ = joined(client, "list_services", "serviceArns", size, cluster=clusters[0])
            same(items, services, f"services in pages of {size}")
        same(described["clusters"][0]["activeServicesCount"], len(services), "active services")
        answer = client.describe_services(cluster=clusters[0], services=services[:9] + ["nowhere"])
        same([service["serviceArn"] for service in answer["services"]], services[:9], "described services")
        same([failure["reason"] for failure in answer["failures"]], ["MISSING"], "failures")
        for service in answer["services"]:
            same(service["status"], "ACTIVE", "status")
            same(service["runningCount"] + service["pendingCount"] >= service["desiredCount"], True, "tasks")
            same(service["deployments"][0]["status"], "PRIMARY", "deployment")
            holds(service["deployments"][0]["rolloutState"] == "COMPLETED", "rollout")
            holds(isinstance(service["deployments"][0]["createdAt"], dt.datetime), "a time is a time")
            holds(all({"id", "createdAt", "message"} <= set(event) for event in service["events"]), "events")


@case("ecs/tasks")
def _(world):
    for region in world.regions:
        client = world.client("ecs", region)
        cluster = client.list_clusters()["clusterArns"][0]
        tasks = client.list_tasks(cluster=cluster)["taskArns"]
        for size in (3, 5):
            same(joined(client, "list_tasks", "taskArns", size, cluster=cluster)[0], tasks, f"pages of {size}")
        services = client.list_services(cluster=cluster, maxResults=100)["serviceArns"]
        each = [client.list_tasks(cluster=cluster, serviceName=name)["taskArns"] for name in services]
        same(sorted(sum(each, [])), sorted(tasks), "tasks service by service")
        answer = client.describe_tasks(cluster=cluster, tasks=tasks[:99] + ["0" * 32])
        same([task["taskArn"] for task in answer["tasks"]], tasks[:99], "described tasks")
        same(len(answer["failures"]), 1, "failures")
        holds(all(task["lastStatus"] == "RUNNING" for task in answer["tasks"]), "running")
        same(client.list_tasks(cluster=cluster, desiredStatus="PENDING")["taskArns"], [], "pending finds nothing")
        client.list_tasks(cluster=cluster, desiredStatus="STOPPED")


@case("ecs/errors")
def _(world):
    cluster = world.client("ecs").list_clusters()["clusterArns"][0]
    refused = lambda code, operation, **more: world.refused("ecs", code, operation, **more)
    refused("ClusterNotFoundException", "list_services", cluster="nowhere", status=400)
    refused("ClusterNotFoundException", "describe_services", cluster="nowhere", services=["x"])
    refused("ClusterNotFoundException", "list_tasks", cluster="nowhere")
    refused("ClusterNotFoundException", "list_services")
    refused("ServiceNotFoundException", "list_tasks", cluster=cluster, serviceName="nowhere")
    refused("InvalidParameterException", "describe_services", cluster=cluster, services=[])
    refused("InvalidParameterException", "describe_services", cluster=cluster, services=["x"] * 11)
    refused("InvalidParameterException", "describe_tasks", cluster=cluster, tasks=["x"] * 101)
    refused("InvalidParameterException", "list_services", cluster=cluster, maxResults=101)
    refused("InvalidParameterException", "list_services", cluster=cluster, nextToken="nonsense")
    refused("UnknownOperationException", "list_account_settings")
    error = refused("ClusterNotFoundException", "list_services", cluster="nowhere")
    same(type(error).__name__, "ClusterNotFoundException", "modelled exception")


# ------------------------------------------------------------------ Application Auto Scaling


@case("autoscaling/targets")
def _(world):
    for region in world.regions:
        client = world.client("application-autoscaling", region)
        targets = paged(client, "describe_scalable_targets", "ScalableTargets", sizes=(1, 2), ServiceNamespace="ecs")
        for target in targets:
            holds(target["MinCapacity"] <= target["MaxCapacity"], "capacity")
            same(set(target["SuspendedState"].values()), {False}, "suspended")
            found = client.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[target["ResourceId"]])
            same(found["ScalableTargets"], [target], "by id")
            client.describe_scaling_activities(ServiceNamespace="ecs", ResourceId=target["ResourceId"])
        ecs = world.client("ecs", region)
        cluster = ecs.list_clusters()["clusterArns"][0]
        names = [arn.split("service/")[1] for arn in ecs.list_services(cluster=cluster, maxResults=100)["serviceArns"]]
        same(sorted(t["ResourceId"] for t in targets), sorted(f"service/{name}" for name in names), "resource ids")
        paged(client, "describe_scaling_activities", "ScalingActivities", sizes=(1, 5), ServiceNamespace="ecs")


@case("autoscaling/errors")
def _(world):
    refused = lambda code, operation, **more: world.refused("application-autoscaling", code, operation, **more)
    many = [f"service/prod/{index}" for index in range(51)]
    refused("ValidationException", "describe_scalable_targets", ServiceNamespace="ecs", ResourceIds=many, status=400)
    refused("ValidationException", "describe_scalable_targets", ServiceNamespace="ecs", MaxResults=51)
    refused("ValidationException", "describe_scalable_targets", ServiceNamespace="ecs", ScalableDimension="ecs:service:DesiredCount")
    refused("InvalidNextTokenException", "describe_scalable_targets", ServiceNamespace="ecs", NextToken="nonsense")
    refused("UnknownOperationException", "describe_scaling_policies", ServiceNamespace="ecs")


# ------------------------------------------------------------------ DynamoDB


@case("dynamodb/tables")
def _(world):
    for region in world.regions:
        client = world.client("dynamodb", region)
        names = paged(client, "list_tables", "TableNames")
        holds(len(names) >= 2, "tables")
        for name in names:
            table = client.describe_table(TableName=name)["Table"]
            same((table["TableName"], table["TableStatus"]), (name, "ACTIVE"), "table")
            same(table["GlobalTableVersion"], "2019.11.21", "version")
            holds(table["MultiRegionConsistency"] in ("EVENTUAL", "STRONG"), "consistency")
            replicas = {replica["RegionName"]: replica["ReplicaStatus"] for replica in table["Replicas"]}
            holds(replicas and set(replicas.values()) == {"ACTIVE"}, f"replicas: {replicas}")
            holds(set(replicas) <= set(world.regions), f"replicas: {replicas}")
            same(client.describe_table(TableName=table["TableArn"])["Table"]["TableId"], table["TableId"], "by ARN")


@case("dynamodb/errors")
def _(world):
    error = world.refused("dynamodb", "ResourceNotFoundException", "describe_table", TableName="nowhere", status=400)
    same(type(error).__name__, "ResourceNotFoundException", "modelled exception")
    world.refused("dynamodb", "ValidationException", "describe_table", TableName="x" * 256)
    world.refused("dynamodb", "ValidationException", "list_tables", Limit=101)
    world.refused("dynamodb", "UnknownOperationException", "list_backups")


# ------------------------------------------------------------------ RDS


@case("rds/global-cluster")
def _(world):
    for region in world.regions:
        client = world.client("rds", region)
        clusters = client.describe_global_clusters()["GlobalClusters"]
        if not clusters:
            same(client.describe_db_clusters()["DBClusters"], [], f"no member in {region}")
            continue
        same(joined(client, "describe_global_clusters", "GlobalClusters", 20)[0], clusters, "in pages")
        cluster = clusters[0]
        identifier = cluster["GlobalClusterIdentifier"]
        same(client.describe_global_clusters(GlobalClusterIdentifier=identifier)["GlobalClusters"], clusters, "by id")
        by_region = client.describe_global_clusters(Filters=[{"Name": "region", "Values": [region]}])
        same(by_region["GlobalClusters"], clusters, "by region")
        members = cluster["GlobalClusterMembers"]
        writers = [member["DBClusterArn"].split(":")[3] for member in members if member["IsWriter"]]
        same(writers, [world.truth()["aurora_writer"]], "writer")
        holds(all(member["SynchronizationStatus"] == "connected" for member in members), "connected")


@case("rds/clusters")
def _(world):
    for region in world.regions:
        client = world.client("rds", region)
        for cluster in client.describe_db_clusters()["DBClusters"]:
            same(cluster["Status"], "available", "status")
            name = cluster["DBClusterIdentifier"]
            same(client.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"], [cluster], "by id")
            instances = client.describe_db_instances(Filters=[{"Name": "db-cluster-id", "Values": [name]}])["DBInstances"]
            listed = [instance["DBInstanceIdentifier"] for instance in instances]
            same(sorted(m["DBInstanceIdentifier"] for m in cluster["DBClusterMembers"]), sorted(listed), "members")
            same(joined(client, "describe_db_instances", "DBInstances", 20)[0], instances, "instances in pages")
            one = client.describe_db_instances(DBInstanceIdentifier=listed[0])["DBInstances"]
            same(one, instances[:1], "instance by id")
        events = client.describe_events(SourceType="db-cluster", Duration=14 * 24 * 60 - 60)["Events"]
        holds(all(isinstance(event["Date"], dt.datetime) for event in events), "events")


@case("rds/errors")
def _(world):
    refused = lambda code, operation, **more: world.refused("rds", code, operation, **more)
    refused("GlobalClusterNotFoundFault", "describe_global_clusters", GlobalClusterIdentifier="nowhere", status=404)
    refused("DBClusterNotFoundFault", "describe_db_clusters", DBClusterIdentifier="nowhere", status=404)
    refused("DBInstanceNotFound", "describe_db_instances", DBInstanceIdentifier="nowhere", status=404)
    refused("InvalidParameterValue", "describe_db_clusters", MaxRecords=19)
    refused("InvalidParameterValue", "describe_db_clusters", Marker="nonsense")
    refused("InvalidParameterValue", "describe_db_clusters", Filters=[{"Name": "colour", "Values": ["x"]}])
    refused("InvalidParameterCombination", "describe_events", SourceIdentifier="x")
    refused("InvalidAction", "describe_db_subnet_groups")


# ------------------------------------------------------------------ S3


def bucket_of(world, region):
    for bucket in world.client("s3", region).list_buckets()["Buckets"]:
        place = world.client("s3", region).get_bucket_location(Bucket=bucket["Name"])["LocationConstraint"]
        if (place or "us-east-1") == region:
            return bucket["Name"]
    raise Failure(f"no bucket in {region}")


@case("s3/buckets")
def _(world):
    whole = world.client("s3").list_buckets()["Buckets"]
    same(len(whole), len(world.regions), "buckets")
    for size in (1, 2):
        items, token = [], None
        while True:
            page = world.client("s3").list_buckets(MaxBuckets=size, **({"ContinuationToken": token} if token else {}))
            items += page["Buckets"]
            token = page.get("ContinuationToken")
            if not token:
                break
        same([b["Name"] for b in items], [b["Name"] for b in whole], f"buckets in pages of {size}")


@case("s3/replication")
def _(world):
    for region in world.regions:
        client, name = world.client("s3", region), bucket_of(world, region)
        same(client.head_bucket(Bucket=name)["ResponseMetadata"]["HTTPStatusCode"], 200, "HeadBucket")
        same(client.get_bucket_versioning(Bucket=name)["Status"], "Enabled", "versioning")
        rules = client.get_bucket_replication(Bucket=name)["ReplicationConfiguration"]["Rules"]
        for rule in rules:
            same(rule["Status"], "Enabled", "rule")
            holds(rule["Destination"]["Bucket"].startswith("arn:aws:s3:::"), "destination")
            same(rule["Destination"]["ReplicationTime"], {"Status": "Enabled", "Time": {"Minutes": 15}}, "RTC")


@case("s3/errors")
def _(world):
    refused = lambda code, operation, **more: world.refused("s3", code, operation, **more)
    refused("NoSuchBucket", "get_bucket_replication", Bucket="nowhere-at-all", status=404)
    refused("NoSuchBucket", "get_bucket_versioning", Bucket="nowhere-at-all")
    refused("404", "head_bucket", Bucket="nowhere-at-all", status=404)
    refused("InvalidArgument", "list_buckets", MaxBuckets=10_001)
    refused("InvalidArgument", "list_buckets", ContinuationToken="nonsense")
    refused("NoSuchKey", "get_object", Bucket=bucket_of(world, world.regions[0]), Key="x", status=404)


@case("s3/bucket-in-another-region")
def _(world):
    # botocore follows a bucket to its region; that the first answer was a refusal shows in the log.
    name = bucket_of(world, world.other())
    world.http("DELETE", "/_sim/calls")
    same(world.client("s3", world.regions[0]).get_bucket_versioning(Bucket=name)["Status"], "Enabled", "versioning")
    seen = [(call["region"], call["error"]) for call in world.calls() if call["operation"] == "GetBucketVersioning"]
    same(seen, [(world.regions[0], "AuthorizationHeaderMalformed"), (world.other(), None)], "calls")


# ------------------------------------------------------------------ SNS


@case("sns/topics")
def _(world):
    for region in world.regions:
        client = world.client("sns", region)
        for topic in client.list_topics()["Topics"]:
            attributes = client.get_topic_attributes(TopicArn=topic["TopicArn"])["Attributes"]
            same(attributes["TopicArn"], topic["TopicArn"], "attributes")
            holds(attributes["SubscriptionsConfirmed"].isdigit(), "subscriptions")
            found = client.list_subscriptions_by_topic(TopicArn=topic["TopicArn"])["Subscriptions"]
            same(len(found), int(attributes["SubscriptionsConfirmed"]), "subscriptions")


@case("sns/errors")
def _(world):
    region, account = world.regions[0], world.client("sts").get_caller_identity()["Account"]
    refused = lambda code, **more: world.refused("sns", code, "get_topic_attributes", **more)
    refused("NotFound", TopicArn=f"arn:aws:sns:{region}:{account}:nowhere", status=404)
    refused("AuthorizationError", TopicArn=f"arn:aws:sns:{region}:999999999999:ops", status=403)
    refused("InvalidParameter", TopicArn="nonsense", status=400)
    refused("InvalidParameter", TopicArn=f"arn:aws:sns:{world.other()}:{account}:ops")
    world.refused("sns", "InvalidParameter", "list_topics", NextToken="nonsense")
    world.refused("sns", "InvalidAction", "list_platform_applications")


# ------------------------------------------------------------------ CloudWatch, in three protocols

PROTOCOLS = ("smithy-rpc-v2-cbor", "json", "query")


def each_protocol(name):
    """A case for each protocol that CloudWatch speaks, where this botocore knows it."""

    def register(function):
        for protocol in PROTOCOLS:
            CASES.append((f"cloudwatch/{protocol}/{name}", lambda world, protocol=protocol: function(world, protocol)))
        return function

    return register


def minute(back=0):
    now = dt.datetime.now(dt.timezone.utc).replace(second=0, microsecond=0)
    return now - dt.timedelta(minutes=back)


def balancer_dimension(world, region):
    found = world.client("cloudwatch", region).list_metrics(Namespace="AWS/ApplicationELB", MetricName="ConsumedLCUs")
    return found["Metrics"][0]["Dimensions"]


def stat(identifier, dimensions, metric="RequestCount", stat="Sum", period=60, **more):
    metric = {"Namespace": "AWS/ApplicationELB", "MetricName": metric, "Dimensions": dimensions}
    return {"Id": identifier, "MetricStat": {"Metric": metric, "Period": period, "Stat": stat}, **more}


@each_protocol("list-metrics")
def _(world, protocol):
    for region in world.regions:
        client = world.client("cloudwatch", region, protocol=protocol)
        metrics = client.get_paginator("list_metrics").paginate().build_full_result()["Metrics"]
        spaces = {metric["Namespace"] for metric in metrics}
        holds({"AWS/ApplicationELB", "AWS/ECS", "AWS/DynamoDB", "AWS/S3"} <= spaces, f"namespaces: {spaces}")
        same("AWS/Route53" in spaces, region == "us-east-1", f"Route 53's metrics in {region}")
        some = client.list_metrics(Namespace="AWS/ECS", Dimensions=[{"Name": "ServiceName"}], RecentlyActive="PT3H")
        same(some["Metrics"], [metric for metric in metrics if metric["Namespace"] == "AWS/ECS"], "ECS metrics")


@each_protocol("get-metric-data")
def _(world, protocol):
    for region in world.regions:
        client = world.client("cloudwatch", region, protocol=protocol)
        dimensions = balancer_dimension(world, region)
        queries = [
            stat("requests", dimensions),
            stat("p99", dimensions, "TargetResponseTime", "p99"),
            stat("hidden", dimensions, "HTTPCode_Target_5XX_Count", ReturnData=False),
            stat("nothing", [{"Name": "LoadBalancer", "Value": "app/x/0"}]),
            {"Id": "rate", "Expression": "requests / PERIOD(requests)", "Label": "per second"},
            {"Id": "errors", "Expression": "100 * FILL(hidden, 0) / requests"},
        ]
        # Whole minutes that have settled: CloudWatch revises the newest ones.
        span = {"StartTime": minute(33), "EndTime": minute(3)}
        answer = client.get_metric_data(MetricDataQueries=queries, **span)
        results = {result["Id"]: result for result in answer["MetricDataResults"]}
        same(list(results), ["requests", "p99", "nothing", "rate", "errors"], "results")
        requests = results["requests"]
        same(len(requests["Values"]), 30, f"minutes in {region}")
        same(requests["Timestamps"], [minute(4 + back) for back in range(30)], "newest first")
        holds(all(value > 0 for value in requests["Values"]), "there is traffic")
        holds(all(0.001 < value < 30 for value in results["p99"]["Values"]), "p99 is in seconds")
        same((results["nothing"]["Values"], results["nothing"]["StatusCode"]), ([], "Complete"), "unknown metric")
        same(results["rate"]["Label"], "per second", "label")
        for rate, count in zip(results["rate"]["Values"], requests["Values"]):
            holds(abs(rate * 60 - count) < 1e-6, "requests per second")
        rising = client.get_metric_data(MetricDataQueries=queries[:1], ScanBy="TimestampAscending", **span)
        same(rising["MetricDataResults"][0]["Values"], requests["Values"][::-1], "oldest first")
        coarse = client.get_metric_data(
            MetricDataQueries=[stat("m", dimensions, period=300), stat("n", dimensions)],
            StartTime=minute(33).replace(minute=minute(33).minute // 5 * 5),
            EndTime=minute(3).replace(minute=minute(3).minute // 5 * 5),
        )["MetricDataResults"]
        same(sum(coarse[0]["Values"]), sum(coarse[1]["Values"]), "five minutes are the sum of their minutes")
        holds(all(at.minute % 5 == 0 for at in coarse[0]["Timestamps"]), "aligned to five minutes")


@each_protocol("get-metric-data-pages")
def _(world, protocol):
    client = world.client("cloudwatch", protocol=protocol)
    dimensions = balancer_dimension(world, world.regions[0])
    span = {"StartTime": minute(23), "EndTime": minute(3), "ScanBy": "TimestampAscending"}
    queries = [
        stat("a", dimensions),
        stat("empty", [{"Name": "LoadBalancer", "Value": "app/x/0"}]),
        stat("b", dimensions, "TargetResponseTime", "p50"),
        {"Id": "both", "Expression": "[a, b] * 2"},
    ]

    def table(results):
        rows = {}
        for position, result in enumerate(results):
            rows.setdefault((result["Id"], result["Label"]), []).extend(zip(result["Timestamps"], result["Values"]))
        return rows

    whole = client.get_metric_data(MetricDataQueries=queries, **span)
    holds("NextToken" not in whole, "one page")
    for most in (1, 7, 20, 79):
        results, token, pages = [], {}, 0
        while True:
            page = client.get_metric_data(MetricDataQueries=queries, MaxDatapoints=most, **span, **token)
            results += page["MetricDataResults"]
            pages += 1
            held = sum(len(result["Values"]) for result in page["MetricDataResults"])
            holds(held <= most, f"{held} points on a page of {most}")
            if not page.get("NextToken"):
                break
            token = {"NextToken": page["NextToken"]}
        same(table(results), table(whole["MetricDataResults"]), f"pages of {most}")
        same(pages, -(-80 // most), f"number of pages of {most}")


@each_protocol("get-metric-statistics")
def _(world, protocol):
    client = world.client("cloudwatch", protocol=protocol)
    dimensions = balancer_dimension(world, world.regions[0])
    span = {"StartTime": minute(13), "EndTime": minute(3)}
    answer = client.get_metric_statistics(
        Namespace="AWS/ApplicationELB", MetricName="TargetResponseTime", Dimensions=dimensions, Period=60, **span,
        Statistics=["Average", "Minimum", "Maximum", "SampleCount", "Sum"],
    )
    same((answer["Label"], len(answer["Datapoints"])), ("TargetResponseTime", 10), "datapoints")
    for point in answer["Datapoints"]:
        same(point["Unit"], "Seconds", "unit")
        holds(point["Minimum"] <= point["Average"] <= point["Maximum"], "order of statistics")
        holds(abs(point["Sum"] / point["SampleCount"] - point["Average"]) < 1e-9, "average")
    extended = client.get_metric_statistics(
        Namespace="AWS/ApplicationELB", MetricName="TargetResponseTime", Dimensions=dimensions, Period=60, **span,
        ExtendedStatistics=["p50", "p99.9"],
    )["Datapoints"]
    same(len(extended), 10, "datapoints")
    for point in extended:
        holds(point["ExtendedStatistics"]["p50"] <= point["ExtendedStatistics"]["p99.9"], "percentiles")


@each_protocol("alarms")
def _(world, protocol):
    for region in world.regions:
        client = world.client("cloudwatch", region, protocol=protocol)
        both = {"AlarmTypes": ["MetricAlarm", "CompositeAlarm"]}
        answer = client.describe_alarms(MaxRecords=100, **both)
        names = [alarm["AlarmName"] for alarm in answer["CompositeAlarms"] + answer["MetricAlarms"]]
        holds(names, "alarms")
        found = []
        for page in client.get_paginator("describe_alarms").paginate(PaginationConfig={"PageSize": 1}, **both):
            found += [alarm["AlarmName"] for alarm in page["CompositeAlarms"] + page["MetricAlarms"]]
        same(found, names, "alarms in pages of 1")
        plain = client.describe_alarms()
        same(plain["CompositeAlarms"], [], "composite alarms are left out by default")
        same(plain["MetricAlarms"], answer["MetricAlarms"], "metric alarms")
        for alarm in plain["MetricAlarms"]:
            holds(alarm["StateValue"] in ("OK", "ALARM", "INSUFFICIENT_DATA"), "state")
            holds(isinstance(alarm["StateTransitionedTimestamp"], dt.datetime), "since")
            holds(all(f":{region}:" in action for action in alarm["AlarmActions"]), "actions are in the region")
            one = client.describe_alarms(AlarmNames=[alarm["AlarmName"]])["MetricAlarms"]
            same(one, [alarm], "by name")
            stat_name = "Statistic" if "Statistic" in alarm else "ExtendedStatistic"
            metric = {key: alarm[key] for key in ("Namespace", "MetricName", "Dimensions", stat_name)}
            of_metric = client.describe_alarms_for_metric(**metric)["MetricAlarms"]
            holds(alarm in of_metric, f"{alarm['AlarmName']} of its metric")
            history = client.describe_alarm_history(AlarmName=alarm["AlarmName"])["AlarmHistoryItems"]
            holds({"StateUpdate"} <= {item["HistoryItemType"] for item in history}, "history")
            tags = client.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]
            same({tag["Key"]: tag["Value"] for tag in tags}.get("switchtower:application"), "orders", "owner tag")
        firing = client.describe_alarms(StateValue="OK")["MetricAlarms"]
        same(firing, [alarm for alarm in plain["MetricAlarms"] if alarm["StateValue"] == "OK"], "alarms that are OK")
        items, _ = joined(client, "describe_alarm_history", "AlarmHistoryItems", 2)
        whole = client.describe_alarm_history(MaxRecords=100)["AlarmHistoryItems"]
        same(items, whole, "history in pages of 2")


@each_protocol("errors")
def _(world, protocol):
    dimensions = balancer_dimension(world, world.regions[0])
    refused = lambda code, operation, **more: world.refused("cloudwatch", code, operation, protocol=protocol, **more)
    span = {"StartTime": minute(10), "EndTime": minute()}
    data = lambda code, queries, **more: refused(code, "get_metric_data", MetricDataQueries=queries, **{**span, **more})
    fine = stat("m1", dimensions)
    data("ValidationError", [fine, fine], status=400)
    data("ValidationError", [stat("5xx", dimensions)])
    data("ValidationError", [stat("m1", dimensions, stat="p101")])
    data("ValidationError", [stat("m1", dimensions, period=61)])
    data("ValidationError", [stat(f"m{index}", dimensions) for index in range(501)])
    data("ValidationError", [fine, {"Id": "e1", "Expression": "m1 +"}])
    data("ValidationError", [fine, {"Id": "e1", "Expression": "m1 + m2"}])
    data("ValidationError", [fine, {"Id": "e1", "Expression": "SUM(m1)"}])
    data("ValidationError", [{"Id": "m1"}])
    data("ValidationError", [fine], StartTime=minute(), EndTime=minute(5))
    data("ValidationError", [fine], MaxDatapoints=100_801)
    data("InvalidNextToken", [fine], NextToken="nonsense")
    statistics = {"Namespace": "AWS/ECS", "MetricName": "CPUUtilization", "Period": 60, **span}
    refused("MissingParameter", "get_metric_statistics", **statistics)
    statistics["Statistics"] = ["Average"]
    refused("InvalidParameterValue", "get_metric_statistics", **{**statistics, "Period": 90})
    refused("InvalidParameterValue", "get_metric_statistics", **{**statistics, "EndTime": minute(20)})
    refused("InvalidParameterCombination", "get_metric_statistics", **{**statistics, "StartTime": minute(1450)})
    refused("InvalidParameterValue", "list_metrics", Namespace=":x")
    refused("InvalidNextToken", "list_metrics", NextToken="nonsense")
    refused("ValidationError", "describe_alarms", MaxRecords=101)
    refused("ValidationError", "describe_alarms", AlarmNames=["x"], AlarmNamePrefix="x")
    refused("InvalidNextToken", "describe_alarms", NextToken="nonsense")
    refused("InvalidNextToken", "describe_alarm_history", NextToken="nonsense")
    gone = f"arn:aws:cloudwatch:{world.regions[0]}:123456789012:alarm:nowhere"
    refused("ResourceNotFoundException", "list_tags_for_resource", ResourceARN=gone, status=404)
    refused("InvalidParameterValue", "list_tags_for_resource", ResourceARN="nonsense")
    unknown = "InvalidAction" if protocol == "query" else "UnknownOperationException"
    refused(unknown, "list_dashboards")
    if protocol != "query":
        error = refused("InvalidParameterCombination", "get_metric_statistics", **{**statistics, "StartTime": minute(1450)})
        same(type(error).__name__, "InvalidParameterCombinationException", "modelled exception")


@case("cloudwatch/protocols-agree")
def _(world):
    dimensions = balancer_dimension(world, world.regions[0])
    span = {"StartTime": minute(40), "EndTime": minute(10)}
    clients = [world.client("cloudwatch", protocol=protocol) for protocol in PROTOCOLS]
    queries = [stat("a", dimensions), stat("b", dimensions, "TargetResponseTime", "p99"), {"Id": "c", "Expression": "a*b"}]
    answers = [client.get_metric_data(MetricDataQueries=queries, **span)["MetricDataResults"] for client in clients]
    same(answers[1], answers[0], "JSON and CBOR")
    same(answers[2], answers[0], "Query and CBOR")
    alarms = [client.describe_alarms()["MetricAlarms"] for client in clients]
    same(alarms[1], alarms[0], "alarms in JSON and CBOR")
    same(alarms[2], alarms[0], "alarms in Query and CBOR")


# ------------------------------------------------------------------ faults


def calm_again(function):
    """Runs a case and ends whatever it started."""

    def run(world):
        try:
            function(world)
        finally:
            world.start("calm")

    return run


@case("fault/expired-credentials")
@calm_again
def _(world):
    world.start("expired-credentials")
    expired = {
        ("sts", "get_caller_identity"): "ExpiredToken",
        ("route53", "list_hosted_zones"): "ExpiredToken",
        ("elbv2", "describe_load_balancers"): "ExpiredToken",
        ("rds", "describe_db_clusters"): "ExpiredToken",
        ("sns", "list_topics"): "ExpiredToken",
        ("s3", "list_buckets"): "ExpiredToken",
        ("ecs", "list_clusters"): "ExpiredTokenException",
        ("application-autoscaling", "describe_scalable_targets"): "ExpiredTokenException",
        ("dynamodb", "list_tables"): "ExpiredTokenException",
        # Its clients ask for the codes of the Query protocol, whichever protocol they speak.
        ("cloudwatch", "list_metrics"): "ExpiredToken",
    }
    for (service, operation), code in expired.items():
        arguments = {"ServiceNamespace": "ecs"} if service == "application-autoscaling" else {}
        world.refused(service, code, operation, **arguments)
    for protocol in PROTOCOLS:
        world.refused("cloudwatch", "ExpiredToken", "list_metrics", protocol=protocol)


@case("fault/rate-limits")
def _(world):
    from botocore.exceptions import ClientError

    for service, operation, limit in (("route53", "list_health_checks", 5), ("cloudwatch", "describe_alarms", 9)):
        client = world.client(service, attempts=1)
        time.sleep(1.1)
        codes = []
        for _ in range(4 * limit):
            try:
                getattr(client, operation)()
                codes.append("ok")
            except ClientError as error:
                codes.append(error.response["Error"]["Code"])
        same(codes[:limit], ["ok"] * limit, f"{service}: a burst of {limit}")
        same(set(codes), {"ok", "Throttling"}, f"{service}: codes of a flood")
    # With retries the same flood gets through.
    for _ in range(10):
        world.client("route53").list_health_checks()


@case("fault/throttling")
@calm_again
def _(world):
    world.start("throttling", world.regions[0])
    world.refused("ecs", "ThrottlingException", "list_clusters", status=400)
    world.refused("elbv2", "Throttling", "describe_load_balancers", status=400)
    world.refused("rds", "Throttling", "describe_db_clusters")
    world.refused("route53", "Throttling", "list_hosted_zones", status=400)
    world.client("ecs", world.other(), attempts=1).list_clusters()


@case("fault/control-plane-down")
@calm_again
def _(world):
    world.start("control-plane-down", "us-east-1")
    down = {
        ("route53", "list_hosted_zones"): ("ServiceUnavailable", 503),
        ("elbv2", "describe_load_balancers"): ("ServiceUnavailable", 503),
        ("rds", "describe_db_clusters"): ("ServiceUnavailable", 503),
        ("sns", "list_topics"): ("ServiceUnavailable", 503),
        ("ecs", "list_clusters"): ("ServerException", 500),
        ("application-autoscaling", "describe_scalable_targets"): ("InternalServiceException", 500),
    }
    for (service, operation), (code, status) in down.items():
        arguments = {"ServiceNamespace": "ecs"} if service == "application-autoscaling" else {}
        world.refused(service, code, operation, region="us-east-1", status=status, **arguments)
    world.client("cloudwatch", "us-east-1", attempts=1).list_metrics()
    world.client("ecs", next(region for region in world.regions if region != "us-east-1"), attempts=1).list_clusters()


@case("fault/black-hole")
@calm_again
def _(world):
    from botocore.exceptions import ReadTimeoutError

    world.start("black-hole", world.other())
    for service, operation in (("ecs", "list_clusters"), ("cloudwatch", "list_metrics"), ("s3", "list_buckets")):
        client = world.client(service, world.other(), attempts=1, read_timeout=0.5)
        try:
            getattr(client, operation)()
        except ReadTimeoutError:
            pass
        else:
            raise Failure(f"{service} answered")
        getattr(world.client(service, world.regions[0], attempts=1), operation)()
    same(world.http("GET", f"/_sim/app/{world.other()}/health")[0], 200, "the application goes on")


@case("fault/clock-skew")
@calm_again
def _(world):
    world.start("clock-skew")
    skewed = {
        ("sts", "get_caller_identity"): "SignatureDoesNotMatch",
        ("route53", "list_hosted_zones"): "SignatureDoesNotMatch",
        ("ecs", "list_clusters"): "InvalidSignatureException",
        ("cloudwatch", "list_metrics"): "SignatureDoesNotMatch",
        ("s3", "list_buckets"): "RequestTimeTooSkewed",
    }
    for (service, operation), code in skewed.items():
        world.refused(service, code, operation)


@case("fault/regional-outage")
@calm_again
def _(world):
    lost = world.other()
    world.start("regional-outage", lost)
    groups = world.client("elbv2", lost).describe_target_groups()["TargetGroups"]
    deadline = time.monotonic() + 90
    while True:
        states = {
            target["TargetHealth"]["State"]
            for group in groups
            for target in world.client("elbv2", lost).describe_target_health(TargetGroupArn=group["TargetGroupArn"])[
                "TargetHealthDescriptions"
            ]
        }
        if "healthy" not in states:
            break
        holds(time.monotonic() < deadline, f"targets stay {states}")
        time.sleep(1)
    holds(states & {"unhealthy", "unhealthy.draining"}, f"states: {states}")
    truth = {region["region"]: region for region in world.truth()["regions"]}
    same((truth[lost]["up"], truth[world.regions[0]]["up"]), (False, True), "who is up")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--endpoint", help="http://127.0.0.1:PORT of `switchtower sim --listen`")
    parser.add_argument("--only", default="", help="cases whose names contain this")
    parser.add_argument("--list", action="store_true", help="print the names of the cases")
    options = parser.parse_args()
    if options.list:
        print("\n".join(name for name, _ in CASES))
        return 0
    if not options.endpoint:
        parser.error("--endpoint is required")
    world = World(options.endpoint)
    failed = 0
    for name, function in CASES:
        if options.only not in name:
            continue
        try:
            function(world)
        except Exception as error:  # noqa: BLE001 - whatever a case dies of is its result
            failed += 1
            place = "" if isinstance(error, Failure) else f" ({traceback.format_exc().splitlines()[-3].strip()})"
            why = " ".join(f"{type(error).__name__ if place else ''} {error}{place}".split())
            print(f"FAIL {name}: {why}", flush=True)
        else:
            print(f"ok {name}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
