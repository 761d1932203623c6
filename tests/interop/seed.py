"""Lays the reference application down in a fake AWS and writes down what was laid.

    seed.py --fake moto|ministack --endpoint URL --manifest FILE [--serving]

What it is for: a manifest with every value that the console is expected to read back. No two regions and no two
fields share a value, so that a value read in the wrong place is noticed.
What it must not do: write down anything that it did not put, or did not read back from the fake by boto3.

With `--serving` the same application has both regions in service and a table for leases: a place from which a region can
be left. Neither fake ever starts a task because a limit was raised, so that the survivor runs all along what it will need.

moto keeps no DynamoDB replicas; ministack cannot say a health check's flags and has no Application Auto Scaling.
Each is seeded with what it can answer; the manifest says what that is.
"""
import argparse
import datetime
import json
import sys
import time

import boto3
from botocore.config import Config

HOSTNAME, ZONE = "api.example.com", "example.com."
REGIONS = ["us-east-1", "eu-west-1"]
CLUSTER = "prod"
TABLES = ["Orders", "user-sessions"]
GLOBAL_CLUSTER = "my-global-db"
# Metrics reach from over an hour ago to some time ahead, so that a slow run still finds its newest minute.
MINUTES = range(-65, 20)


class Seeder:
    def __init__(self, fake, endpoint, serving):
        self.fake, self.endpoint, self.serving, self.clients, self.series = fake, endpoint, serving, {}, []
        self.start = int(time.time()) // 60 * 60
        self.manifest = {"fake": fake, "hostname": HOSTNAME, "regions": {region: {} for region in REGIONS}}

    def client(self, service, region=REGIONS[0]):
        key = service, region
        if key not in self.clients:
            self.clients[key] = boto3.client(
                service, region_name=region, endpoint_url=self.endpoint, aws_access_key_id="seed",
                aws_secret_access_key="seed",
                config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}))
        return self.clients[key]

    def run(self):
        self.manifest["account"] = self.client("sts").get_caller_identity()["Account"]
        for index, region in enumerate(REGIONS):
            self.region(index, region)
        self.records()
        self.aurora()
        self.buckets()
        if self.fake == "ministack":
            self.tables()
        if self.serving:
            self.leases()
        for index, region in enumerate(REGIONS):
            self.alarms(index, region)
        self.metrics()
        self.read_back()
        return self.manifest

    # Load balancers, targets, services.

    def region(self, index, region):
        ec2, elb, ecs = (self.client(name, region) for name in ("ec2", "elbv2", "ecs"))
        vpc = ec2.create_vpc(CidrBlock=f"10.{index}.0.0/16")["Vpc"]["VpcId"]
        zones = [zone["ZoneName"] for zone in ec2.describe_availability_zones()["AvailabilityZones"]][:2]
        subnets = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.{index}.{n}.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
                   for n, zone in enumerate(zones)]
        group = ec2.create_security_group(GroupName="api", Description="api", VpcId=vpc)["GroupId"]
        balancer = elb.create_load_balancer(Name=f"api-{region}", Subnets=subnets, SecurityGroups=[group],
                                            Scheme="internet-facing", Type="application")["LoadBalancers"][0]
        arn = balancer["LoadBalancerArn"]
        ecs.create_cluster(clusterName=CLUSTER)
        services, listener, targets = [], None, 0
        # Two services a region: the first by the listener's default action, the second by one of its rules.
        wanted = [4 + 2 * index, 5 + 2 * index]
        if self.serving:
            # What one needs for both runs already: where limits can be raised, one task of it is the other's.
            wanted = [([1, 3] if self.fake == "moto" else [0, 4])[index]] * 2
        for position, (name, desired) in enumerate(zip(("api", "admin"), wanted)):
            target_group = elb.create_target_group(
                Name=f"{name}-{region}", Protocol="HTTP", Port=8080, VpcId=vpc, TargetType="ip")["TargetGroups"][0]["TargetGroupArn"]
            action = [{"Type": "forward", "TargetGroupArn": target_group}]
            if listener is None or self.fake == "ministack":
                # ministack forgets the load balancer of a group that only a rule forwards to: a listener each.
                listener = elb.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80 + position, DefaultActions=action)["Listeners"][0]["ListenerArn"]
            else:
                elb.create_rule(ListenerArn=listener, Priority=10, Actions=action,
                                Conditions=[{"Field": "path-pattern", "Values": ["/admin/*"]}])
            count = 2 + position + 3 * index
            targets += count
            elb.register_targets(TargetGroupArn=target_group, Targets=[
                {"Id": f"10.{index}.{position}.{host + 10}", "Port": 8080} for host in range(count)])
            # The second service of the second region has one narrow subnet to itself, and others took half of it.
            own = self.narrow(ec2, vpc, index, zones[0]) if self.fake == "moto" and index == position == 1 else subnets
            services.append(self.service(region, name, desired, target_group, own, group, index))
        self.manifest["regions"][region] |= {
            "load_balancer": {"name": f"api-{region}", "arn": arn, "dns": balancer["DNSName"].lower(),
                              "zone": balancer["CanonicalHostedZoneId"], "dimension": arn.split(":loadbalancer/")[1]},
            "target_groups": [service["target_group"].split(":")[-1] for service in services],
            "targets": targets, "services": services}

    def narrow(self, ec2, vpc, index, zone):
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.{index}.9.0/28", AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for _ in range(5):
            ec2.create_network_interface(SubnetId=subnet)
        return [subnet]

    def service(self, region, name, desired, target_group, subnets, group, index):
        ecs = self.client("ecs", region)
        ecs.register_task_definition(
            family=name, networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
            containerDefinitions=[{"name": name, "image": f"{name}:1", "memory": 512, "portMappings": [{"containerPort": 8080}]}])
        ecs.create_service(
            cluster=CLUSTER, serviceName=name, taskDefinition=f"{name}:1", desiredCount=desired, launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": {"subnets": subnets, "securityGroups": [group]}},
            loadBalancers=[{"targetGroupArn": target_group, "containerName": name, "containerPort": 8080}])
        entry = {"cluster": CLUSTER, "service": name, "target_group": target_group, "desired": desired, "scaling": None}
        # Only the first service scales: "no scalable target" is an answer too.
        if self.fake == "moto" and name == "api":
            scaling = {"min": desired if self.serving else 2 + index, "max": 20 + index, "suspended": [index == 0 and not self.serving, False, index == 0 and not self.serving]}
            self.client("application-autoscaling", region).register_scalable_target(
                ServiceNamespace="ecs", ResourceId=f"service/{CLUSTER}/{name}", ScalableDimension="ecs:service:DesiredCount",
                MinCapacity=scaling["min"], MaxCapacity=scaling["max"],
                SuspendedState=dict(zip(("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended"),
                                        scaling["suspended"])))
            entry["scaling"] = scaling
        return entry

    # Route 53.

    def records(self):
        route53, changes, records = self.client("route53"), [], []
        zone = route53.create_hosted_zone(Name=ZONE, CallerReference="interop")["HostedZone"]["Id"].split("/")[-1]
        for index, region in enumerate(REGIONS):
            check = None
            if self.fake == "moto":
                config = {"Type": "HTTPS", "FullyQualifiedDomainName": f"{region}.{HOSTNAME}", "Port": 443, "ResourcePath": "/health",
                          "RequestInterval": 10 if index == 0 else 30, "FailureThreshold": 3 + index, "EnableSNI": True}
                check = route53.create_health_check(CallerReference=region, HealthCheckConfig=config)["HealthCheck"]["Id"]
                # The second region's check is drained the way that a runbook drains: disabled and inverted.
                drained = index == 1 and not self.serving
                route53.update_health_check(HealthCheckId=check, Inverted=drained, Disabled=drained)
                self.manifest["regions"][region]["health_check"] = {
                    "id": check, "inverted": drained, "disabled": drained,
                    "failure_threshold": 3 + index, "request_interval": config["RequestInterval"],
                    "endpoint": f"https://{region}.{HOSTNAME}:443/health"}
            balancer = self.manifest["regions"][region]["load_balancer"]
            for kind in ("A", "AAAA"):
                record = {"Name": f"{HOSTNAME}.", "Type": kind, "SetIdentifier": region, "Region": region,
                          "AliasTarget": {"HostedZoneId": balancer["zone"], "DNSName": f"dualstack.{balancer['dns']}.",
                                          "EvaluateTargetHealth": True}}
                changes.append({"Action": "CREATE", "ResourceRecordSet": record | ({"HealthCheckId": check} if check else {})})
                records.append({"name": HOSTNAME, "type": kind, "set_identifier": region, "region": region, "health_check": check})
        # A name of its own for each region, as the health checks ask for it, and one that has nothing to do with it.
        for region in REGIONS:
            balancer = self.manifest["regions"][region]["load_balancer"]
            changes.append({"Action": "CREATE", "ResourceRecordSet": {
                "Name": f"{region}.{HOSTNAME}.", "Type": "A",
                "AliasTarget": {"HostedZoneId": balancer["zone"], "DNSName": balancer["dns"] + ".", "EvaluateTargetHealth": False}}})
            records.append({"name": f"{region}.{HOSTNAME}", "type": "A", "set_identifier": None, "region": region, "health_check": None})
        changes.append({"Action": "CREATE", "ResourceRecordSet": {
            "Name": "mail.example.com.", "Type": "A", "TTL": 300, "ResourceRecords": [{"Value": "192.0.2.25"}]}})
        route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})
        self.manifest |= {"zone_id": zone, "records": records}

    # Data.

    def aurora(self):
        engine = {"Engine": "aurora-postgresql"}
        self.client("rds").create_global_cluster(GlobalClusterIdentifier=GLOBAL_CLUSTER, **engine)
        members = []
        for index, region in enumerate(REGIONS):
            rds, name = self.client("rds", region), f"db-{region}"
            login = {"MasterUsername": "dbadmin", "MasterUserPassword": "not-a-secret-1"} if index == 0 else {}
            cluster = rds.create_db_cluster(DBClusterIdentifier=name, GlobalClusterIdentifier=GLOBAL_CLUSTER, **engine, **login)
            for number in range(1 + index):
                rds.create_db_instance(DBInstanceIdentifier=f"{name}-{number}", DBInstanceClass="db.r6g.large",
                                       DBClusterIdentifier=name, **engine)
            members.append({"region": region, "id": name, "arn": cluster["DBCluster"]["DBClusterArn"],
                            "writer": index == 0, "instances": 1 + index})
        self.manifest["aurora"] = {"id": GLOBAL_CLUSTER, "members": members}

    def buckets(self):
        role = "arn:aws:iam::123456789012:role/replication"
        for region in REGIONS:
            where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
            s3 = self.client("s3", region)
            s3.create_bucket(Bucket=f"assets-{region}", **where)
            s3.put_bucket_versioning(Bucket=f"assets-{region}", VersioningConfiguration={"Status": "Enabled"})
        for index, region in enumerate(REGIONS):
            other, status = REGIONS[1 - index], ["Enabled", "Disabled"][index]
            self.client("s3", region).put_bucket_replication(Bucket=f"assets-{region}", ReplicationConfiguration={
                "Role": role,
                "Rules": [{"ID": f"to-{other}", "Status": status, "Priority": 1, "Filter": {"Prefix": ""},
                           "DeleteMarkerReplication": {"Status": "Disabled"},
                           "Destination": {"Bucket": f"arn:aws:s3:::assets-{other}",
                                           "Metrics": {"Status": "Enabled", "EventThreshold": {"Minutes": 15}},
                                           "ReplicationTime": {"Status": "Enabled", "Time": {"Minutes": 15}}}}]})
            self.manifest["regions"][region]["bucket"] = {
                "name": f"assets-{region}", "destination": f"assets-{other}", "rule": f"to-{other}", "status": status}

    def tables(self):
        dynamodb = self.client("dynamodb")
        for name in TABLES:
            dynamodb.create_table(
                TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
                StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
            dynamodb.update_table(TableName=name, ReplicaUpdates=[{"Create": {"RegionName": REGIONS[1]}}])
        # A table without replicas is none of the console's business.
        dynamodb.create_table(TableName="local-cache", BillingMode="PAY_PER_REQUEST",
                              KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
                              AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}])
        self.manifest["tables"] = TABLES

    def leases(self):
        names = ("pk", "sk")
        self.client("dynamodb", "us-west-2").create_table(
            TableName="switchtower-lease", BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"))],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names])

    # Alarms and metrics.

    def alarms(self, index, region):
        entry = self.manifest["regions"][region]
        sns, cloudwatch = self.client("sns", region), self.client("cloudwatch", region)
        topic = sns.create_topic(Name="ops-alert")["TopicArn"]
        if index == 0:
            sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{region}:123456789012:pager")
        states = [("OK", "all quiet"), ("ALARM", "Threshold Crossed: seeded")]
        entry["alarms"] = []
        # On metrics without data, missing data ignored: a fake that evaluates alarms leaves the state as it was set.
        for number, metric in enumerate(["RejectedConnectionCount", "TargetConnectionErrorCount"]):
            state, reason = states[(number + index) % 2]
            name = f"{metric}-{region}"
            cloudwatch.put_metric_alarm(
                AlarmName=name, Namespace="AWS/ApplicationELB", MetricName=metric, Statistic="Sum",
                Dimensions=[{"Name": "LoadBalancer", "Value": entry["load_balancer"]["dimension"]}], Period=60,
                EvaluationPeriods=3, Threshold=50, ComparisonOperator="GreaterThanThreshold", TreatMissingData="ignore",
                AlarmActions=[topic], ActionsEnabled=number == 0)
            cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason=reason)
            entry["alarms"].append({"name": name, "state": state, "reason": reason, "actions_enabled": number == 0})
        entry["topic"] = topic

    def add(self, region, namespace, metric, stat, dimensions, value, unit, ahead=True):
        """One series: `value(minute)` is what `stat` must say of the bucket that starts then."""
        points = {self.start + 60 * minute: float(value(minute + self.start // 60)) for minute in MINUTES}
        self.series.append({"region": region, "namespace": namespace, "metric": metric, "stat": stat,
                            "dimensions": dimensions, "unit": unit, "points": points})

    def metrics(self):
        for index, region in enumerate(REGIONS):
            entry, other = self.manifest["regions"][region], REGIONS[1 - index]
            lb, alb = [["LoadBalancer", entry["load_balancer"]["dimension"]]], "AWS/ApplicationELB"
            # Every value moves with the minute, so that one of the wrong minute is told from the right one.
            self.add(region, alb, "RequestCount", "Sum", lb, lambda m, k=index: 6000 - 1500 * k + 60 * (m % 7), "Count")
            self.add(region, alb, "HTTPCode_Target_5XX_Count", "Sum", lb, lambda m, k=index: 30 + 90 * k + m % 5, "Count")
            if index == 0:
                # The other region publishes none: a metric that is "reported when non-zero" then means zero.
                self.add(region, alb, "HTTPCode_ELB_5XX_Count", "Sum", lb, lambda m: 3 + m % 3, "Count")
            self.add(region, alb, "TargetResponseTime", "p99", lb, lambda m, k=index: (150 + 100 * k + m % 9) / 1000, "Seconds")
            for number, group in enumerate(entry["target_groups"]):
                dimensions = lb + [["TargetGroup", group]]
                self.add(region, alb, "HealthyHostCount", "Minimum", dimensions, lambda m, k=index, n=number: 2 + n + 3 * k, "Count")
            for number, service in enumerate(entry["services"]):
                dimensions = [["ClusterName", CLUSTER], ["ServiceName", service["service"]]]
                self.add(region, "AWS/ECS", "CPUUtilization", "Average", dimensions,
                         lambda m, k=index, n=number: 31 + 20 * k + 7 * n + (m % 4) / 4, "Percent")
                self.add(region, "AWS/ECS", "MemoryUtilization", "Average", dimensions,
                         lambda m, k=index, n=number: 55 + 10 * k + 3 * n + (m % 4) / 8, "Percent")
            for number, table in enumerate(self.manifest.get("tables", [])):
                dimensions = [["ReceivingRegion", other], ["TableName", table]]
                self.add(region, "AWS/DynamoDB", "ReplicationLatency", "Average", dimensions,
                         lambda m, k=index, n=number: 700 + 150 * k + 40 * n + m % 6, "Milliseconds")
            bucket = entry["bucket"]
            rule = [["SourceBucket", bucket["name"]], ["DestinationBucket", bucket["destination"]], ["RuleId", bucket["rule"]]]
            # AWS publishes these in the destination's region, and failures in the source's.
            self.add(other, "AWS/S3", "ReplicationLatency", "Maximum", rule, lambda m, k=index: 12 + 9 * k + m % 3, "Seconds")
            self.add(other, "AWS/S3", "BytesPendingReplication", "Maximum", rule, lambda m, k=index: 4096 * (k + 1) + m % 8, "Bytes")
            self.add(other, "AWS/S3", "OperationsPendingReplication", "Maximum", rule, lambda m, k=index: 5 + 6 * k + m % 2, "Count")
            self.add(region, "AWS/S3", "OperationsFailedReplication", "Sum", rule, lambda m, k=index: 1 + 2 * k + m % 2, "Count")
            if "health_check" in entry:
                check = [["HealthCheckId", entry["health_check"]["id"]]]
                self.add("us-east-1", "AWS/Route53", "HealthCheckStatus", "Minimum", check, lambda m, k=index: 1 if self.serving else 1 - k, "None")
                self.add("us-east-1", "AWS/Route53", "HealthCheckPercentageHealthy", "Average", check,
                         lambda m, k=index: 93.75 - 50 * k + (m % 4) / 4, "Percent")
        # Lags exist on the secondary cluster, in its region, only.
        reader = [["DBClusterIdentifier", self.manifest["aurora"]["members"][1]["id"]]]
        for metric, base in (("AuroraGlobalDBRPOLag", 160), ("AuroraGlobalDBReplicationLag", 110)):
            self.add(REGIONS[1], "AWS/RDS", metric, "Maximum", reader, lambda m, b=base: b + m % 10, "Milliseconds")
        if self.serving:
            # Neither fake publishes a lag: AWS would, on the old writer's cluster, once the writer has moved.
            moved = [["DBClusterIdentifier", self.manifest["aurora"]["members"][0]["id"]]]
            self.add(REGIONS[0], "AWS/RDS", "AuroraGlobalDBRPOLag", "Maximum", moved, lambda m: 60 + m % 10, "Milliseconds")
        for series in self.series:
            data = [self.datum(series, at, value) for at, value in series["points"].items()]
            self.client("cloudwatch", series["region"]).put_metric_data(Namespace=series["namespace"], MetricData=data)
        self.manifest["series"] = self.series

    def datum(self, series, at, value):
        """Several measurements of which `stat` is `value` and no other statistic is."""
        spread = {"Sum": [value * 0.25, value * 0.75], "Average": [value - 1, value + 1], "Minimum": [value, value + 5],
                  "Maximum": [value, value / 4], "p99": [value / 3] * 40 + [value] * 60}[series["stat"]]
        if series["metric"] == "HealthCheckStatus":
            spread = [value, value]
        datum = {"MetricName": series["metric"], "Unit": series["unit"],
                 "Timestamp": datetime.datetime.fromtimestamp(at, datetime.timezone.utc),
                 "Dimensions": [{"Name": name, "Value": text} for name, text in series["dimensions"]]}
        if series["stat"] == "p99":
            return datum | {"Values": [value / 3, value], "Counts": [40.0, 60.0]}
        return datum | {"StatisticValues": {"SampleCount": float(len(spread)), "Sum": float(sum(spread)),
                                            "Minimum": float(min(spread)), "Maximum": float(max(spread))}}

    # What only the fake can say is read back by boto3 and written down; what was put is checked.

    def read_back(self):
        for region in REGIONS:
            entry = self.manifest["regions"][region]
            elb, ecs = self.client("elbv2", region), self.client("ecs", region)
            states = [target["TargetHealth"]["State"] for service in entry["services"] for target in
                      elb.describe_target_health(TargetGroupArn=service["target_group"])["TargetHealthDescriptions"]]
            self.check(f"targets in {region}", len(states), entry["targets"])
            entry["healthy_targets"] = states.count("healthy")
            names = [service["service"] for service in entry["services"]]
            for found in ecs.describe_services(cluster=CLUSTER, services=names)["services"]:
                service = next(service for service in entry["services"] if service["service"] == found["serviceName"])
                self.check(f"desired count in {region}", found["desiredCount"], service["desired"])
                primary = next((item for item in found["deployments"] if item["status"] == "PRIMARY"), {})
                service |= {"running": found["runningCount"], "pending": found["pendingCount"], "rollout": primary.get("rolloutState")}
            attributes = self.client("sns", region).get_topic_attributes(TopicArn=entry["topic"])["Attributes"]
            entry["subscriptions"] = int(attributes.get("SubscriptionsConfirmed", 0))
            for alarm in self.client("cloudwatch", region).describe_alarms(
                    AlarmNames=[alarm["name"] for alarm in entry["alarms"]])["MetricAlarms"]:
                seeded = next(item for item in entry["alarms"] if item["name"] == alarm["AlarmName"])
                self.check(f"alarm {alarm['AlarmName']}", alarm["StateValue"], seeded["state"])
                since = alarm.get("StateTransitionedTimestamp")
                seeded["since"] = since.timestamp() if since else None
            members = self.client("rds", region).describe_global_clusters(GlobalClusterIdentifier=GLOBAL_CLUSTER)["GlobalClusters"][0]
            for member in members["GlobalClusterMembers"]:
                seeded = next(item for item in self.manifest["aurora"]["members"] if item["arn"] == member["DBClusterArn"])
                self.check(f"writer as {region} says it", member["IsWriter"], seeded["writer"])
                seeded["synchronization"] = member.get("SynchronizationStatus")
            cluster = next(item for item in self.manifest["aurora"]["members"] if item["region"] == region)
            found = self.client("rds", region).describe_db_clusters(DBClusterIdentifier=cluster["id"])["DBClusters"][0]
            self.check(f"instances of {cluster['id']}", len(found["DBClusterMembers"]), cluster["instances"])
            cluster["status"] = found["Status"]
            for table in self.manifest.get("tables", []):
                found = self.client("dynamodb", region).describe_table(TableName=table)["Table"]
                replicas = {item["RegionName"]: item["ReplicaStatus"] for item in found.get("Replicas", [])}
                entry.setdefault("tables", {})[table] = {"status": found["TableStatus"], "replicas": replicas}
        for series in self.series:
            self.check(f"{series['metric']} in {series['region']}", self.measured(series), self.expected(series))

    def expected(self, series):
        if series["stat"] == "p99" and self.fake == "moto":
            return None
        return series["points"][self.start - 300]

    def measured(self, series):
        if series["stat"] == "p99" and self.fake == "moto":
            return None
        at = datetime.datetime.fromtimestamp(self.start - 300, datetime.timezone.utc)
        result = self.client("cloudwatch", series["region"]).get_metric_data(
            StartTime=at, EndTime=at + datetime.timedelta(minutes=1),
            MetricDataQueries=[{"Id": "q", "MetricStat": {
                "Metric": {"Namespace": series["namespace"], "MetricName": series["metric"],
                           "Dimensions": [{"Name": name, "Value": text} for name, text in series["dimensions"]]},
                "Period": 60, "Stat": series["stat"]}}])["MetricDataResults"][0]
        return result["Values"][0] if result["Values"] else None

    @staticmethod
    def check(what, found, wanted):
        close = isinstance(found, float) and isinstance(wanted, float) and abs(found - wanted) < 1e-6 * max(1.0, abs(wanted))
        if not close and found != wanted:
            sys.exit(f"seed: {what}: the fake says {found!r}, {wanted!r} was put")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--fake", choices=["moto", "ministack"], required=True)
    arguments.add_argument("--endpoint", required=True)
    arguments.add_argument("--manifest", required=True)
    arguments.add_argument("--serving", action="store_true")
    options = arguments.parse_args()
    with open(options.manifest, "w", encoding="utf-8") as file:
        json.dump(Seeder(options.fake, options.endpoint, options.serving).run(), file, indent=1)
