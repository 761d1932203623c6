"""Lays an application down in a fake AWS, with the owner tag on all that is its own and neighbours that have none.

    estate.py --fake moto|ministack --endpoint URL
    estate.py --fake moto|ministack --endpoint URL --drain    afterwards: one region leaves DNS

What it is for: a place that a cleanup may take down, in three regions, whose load balancers nobody uses but checkers.
What it must not do: say what became of it; that is for `told.py`, which asks the fake.

moto takes what serves: records and checks, alarms and topics, services and clusters, load balancers, buckets, stacks.
ministack takes the data: Aurora's members and the tables' replicas, which moto lacks.
"""
import argparse
import datetime
import json
import time

import boto3
from botocore.config import Config

HOSTNAME, ZONE = "api.example.com", "example.com."
REGIONS = ["us-east-1", "eu-west-1", "ap-south-1"]
# Drained before it is taken down: a region that could still be sent users is not.
DRAINED = "ap-south-1"
# Where a neighbour's service runs in our cluster, and where a neighbour's alarm watches our load balancer.
GUEST, WATCHED = "eu-west-1", "us-east-1"
OWNER = {"owner": "orders"}
STACK = json.dumps({"Resources": {"Network": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.99.0.0/16"}}}})


def tags(upper=True, **more):
    names = ("Key", "Value") if upper else ("key", "value")
    return [dict(zip(names, pair)) for pair in (OWNER | more).items()]


class Estate:
    def __init__(self, fake, endpoint):
        self.fake, self.endpoint, self.clients = fake, endpoint, {}
        self.balancers = {}

    def client(self, service, region=REGIONS[0]):
        key = service, region
        if key not in self.clients:
            self.clients[key] = boto3.client(
                service, region_name=region, endpoint_url=self.endpoint, aws_access_key_id="seed",
                aws_secret_access_key="seed",
                config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}))
        return self.clients[key]

    def lay(self):
        for region in REGIONS:
            self.region(region)
            self.quiet(region)
        self.records()
        if self.fake == "moto":
            for region in REGIONS:
                self.alarms(region)
                self.client("cloudformation", region).create_stack(StackName="orders-network", TemplateBody=STACK, Tags=tags())
                self.client("cloudformation", region).create_stack(StackName="their-network", TemplateBody=STACK)
            self.buckets()
        else:
            self.aurora()
            self.tables()
        self.leases()

    def region(self, region):
        """A load balancer with two target groups and services, and a neighbour's beside it."""
        ec2, elb, ecs = (self.client(name, region) for name in ("ec2", "elbv2", "ecs"))
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        zones = [zone["ZoneName"] for zone in ec2.describe_availability_zones()["AvailabilityZones"]][:2]
        subnets = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
                   for n, zone in enumerate(zones)]
        group = ec2.create_security_group(GroupName="api", Description="api", VpcId=vpc)["GroupId"]
        groups = {}
        for whose, owned in (("orders", {"Tags": tags()}), ("their", {})):
            balancer = elb.create_load_balancer(Name=f"{whose}-{region}", Subnets=subnets, SecurityGroups=[group],
                                                Scheme="internet-facing", Type="application", **owned)["LoadBalancers"][0]
            target = elb.create_target_group(Name=f"{whose}-{region}", Protocol="HTTP", Port=8080, VpcId=vpc,
                                             TargetType="ip", **owned)["TargetGroups"][0]["TargetGroupArn"]
            elb.create_listener(LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80,
                                DefaultActions=[{"Type": "forward", "TargetGroupArn": target}])
            groups[whose] = target
            elb.register_targets(TargetGroupArn=target, Targets=[{"Id": f"10.0.0.{host}", "Port": 8080} for host in (10, 11)])
            if whose == "orders":
                if self.fake == "moto":
                    elb.modify_load_balancer_attributes(LoadBalancerArn=balancer["LoadBalancerArn"], Attributes=[
                        {"Key": "deletion_protection.enabled", "Value": "true"}])
                self.balancers[region] = balancer
        ecs.create_cluster(clusterName="prod", tags=tags(upper=False))
        ecs.create_cluster(clusterName="theirs")
        network = {"awsvpcConfiguration": {"subnets": subnets, "securityGroups": [group]}}
        task = {"networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512"}
        # In one region a neighbour runs a service in our cluster, behind our load balancer.
        wanted = [("prod", "api", groups["orders"], True), ("theirs", "api", groups["their"], False)]
        if region == GUEST:
            wanted.append(("prod", "guest", self.guest(region, vpc), False))
        for cluster, name, target, ours in wanted:
            definition = ecs.register_task_definition(
                family=f"{cluster}-{name}", **task,
                containerDefinitions=[{"name": name, "image": "api:1", "memory": 512, "portMappings": [{"containerPort": 8080}]}])
            ecs.create_service(
                cluster=cluster, serviceName=name, desiredCount=2, launchType="FARGATE", networkConfiguration=network,
                taskDefinition=definition["taskDefinition"]["taskDefinitionArn"],
                loadBalancers=[{"targetGroupArn": target, "containerName": name, "containerPort": 8080}],
                **({"tags": tags(upper=False)} if ours else {}))
            if self.fake == "moto":
                self.client("application-autoscaling", region).register_scalable_target(
                    ServiceNamespace="ecs", ResourceId=f"service/{cluster}/{name}",
                    ScalableDimension="ecs:service:DesiredCount", MinCapacity=2, MaxCapacity=8)

    def guest(self, region, vpc):
        """A neighbour's target group behind a listener of our load balancer."""
        elb = self.client("elbv2", region)
        target = elb.create_target_group(Name=f"guest-{region}", Protocol="HTTP", Port=8080, VpcId=vpc,
                                         TargetType="ip")["TargetGroups"][0]["TargetGroupArn"]
        elb.create_listener(LoadBalancerArn=self.balancers[region]["LoadBalancerArn"], Protocol="HTTP", Port=81,
                            DefaultActions=[{"Type": "forward", "TargetGroupArn": target}])
        elb.register_targets(TargetGroupArn=target, Targets=[{"Id": "10.0.0.20", "Port": 8080}])
        return target

    def dimension(self, region):
        return [{"Name": "LoadBalancer", "Value": self.balancers[region]["LoadBalancerArn"].split(":loadbalancer/")[1]}]

    def quiet(self, region):
        """Nobody comes but Route 53's checkers, where there are any: a dozen requests a minute."""
        start = int(time.time()) // 60 * 60
        dimension = self.dimension(region)
        self.client("cloudwatch", region).put_metric_data(Namespace="AWS/ApplicationELB", MetricData=[
            {"MetricName": "RequestCount", "Dimensions": dimension, "Unit": "Count", "Value": 12.0 if self.fake == "moto" else 0.0,
             "Timestamp": datetime.datetime.fromtimestamp(start + 60 * minute, datetime.timezone.utc)}
            for minute in range(-20, 20)])

    def records(self):
        route53, changes = self.client("route53"), []
        zone = route53.create_hosted_zone(Name=ZONE, CallerReference="estate")["HostedZone"]["Id"].split("/")[-1]
        for region in REGIONS + ["theirs"]:
            check = {}
            if self.fake == "moto":
                made = route53.create_health_check(CallerReference=region, HealthCheckConfig={
                    "Type": "HTTPS", "FullyQualifiedDomainName": f"{region}.{HOSTNAME}", "Port": 443,
                    "ResourcePath": "/health", "RequestInterval": 10, "FailureThreshold": 3})["HealthCheck"]["Id"]
                check = {"HealthCheckId": made}
                if region != "theirs":
                    route53.change_tags_for_resource(ResourceType="healthcheck", ResourceId=made, AddTags=tags())
            if region == "theirs":
                continue
            balancer = self.balancers[region]
            target = {"HostedZoneId": balancer["CanonicalHostedZoneId"], "EvaluateTargetHealth": True,
                      "DNSName": f"dualstack.{balancer['DNSName'].lower()}."}
            changes += [{"Name": f"{HOSTNAME}.", "Type": kind, "SetIdentifier": region, "Region": region,
                         "AliasTarget": target, **check} for kind in ("A", "AAAA")]
        changes.append({"Name": "mail.example.com.", "Type": "A", "TTL": 300, "ResourceRecords": [{"Value": "192.0.2.25"}]})
        route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [
            {"Action": "CREATE", "ResourceRecordSet": record} for record in changes]})

    def drain(self):
        """By the check where there is one, and by its records where no check can be read."""
        route53 = self.client("route53")
        for check in route53.list_health_checks()["HealthChecks"] if self.fake == "moto" else []:
            if check["HealthCheckConfig"]["FullyQualifiedDomainName"].startswith(DRAINED):
                route53.update_health_check(HealthCheckId=check["Id"], Inverted=True, Disabled=True)
        if self.fake == "ministack":
            zone = route53.list_hosted_zones()["HostedZones"][0]["Id"]
            sets = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
            route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [
                {"Action": "DELETE", "ResourceRecordSet": record} for record in sets if record.get("SetIdentifier") == DRAINED]})

    def alarms(self, region):
        """Ours and our topic; a neighbour's topic, and in one region its alarm on our load balancer."""
        sns, cloudwatch = self.client("sns", region), self.client("cloudwatch", region)
        for whose, owned in (("orders", {"Tags": tags()}), ("their", {})):
            topic = sns.create_topic(Name=f"{whose}-alert", **owned)["TopicArn"]
            if whose == "their" and region != WATCHED:
                continue
            cloudwatch.put_metric_alarm(
                AlarmName=f"{whose}-rejected", Namespace="AWS/ApplicationELB", MetricName="RejectedConnectionCount",
                Statistic="Sum", Dimensions=self.dimension(region), Period=60, EvaluationPeriods=3, Threshold=50,
                ComparisonOperator="GreaterThanThreshold", TreatMissingData="ignore", AlarmActions=[topic], **owned)

    def buckets(self):
        for region in REGIONS:
            s3 = self.client("s3", region)
            where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
            for whose in ("orders", "their"):
                name = f"{whose}-{region}"
                s3.create_bucket(Bucket=name, **where)
                s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
                s3.put_object(Bucket=name, Key="a", Body=b"one")
                s3.put_object(Bucket=name, Key="a", Body=b"two")
            s3.delete_object(Bucket=f"orders-{region}", Key="a")
            s3.put_bucket_tagging(Bucket=f"orders-{region}", Tagging={"TagSet": tags()})
        for index, region in enumerate(REGIONS):
            other = REGIONS[(index + 1) % len(REGIONS)]
            self.client("s3", region).put_bucket_replication(Bucket=f"orders-{region}", ReplicationConfiguration={
                "Role": "arn:aws:iam::123456789012:role/replication",
                "Rules": [{"ID": f"to-{other}", "Status": "Enabled", "Priority": 1, "Filter": {"Prefix": ""},
                           "DeleteMarkerReplication": {"Status": "Disabled"},
                           "Destination": {"Bucket": f"arn:aws:s3:::orders-{other}"}}]})

    def aurora(self):
        """The writer in the first region, a cluster with two instances in each of the others."""
        engine = {"Engine": "aurora-postgresql"}
        self.client("rds").create_global_cluster(GlobalClusterIdentifier="orders-db", DeletionProtection=True, Tags=tags(), **engine)
        for index, region in enumerate(REGIONS):
            rds, name = self.client("rds", region), f"db-{region}"
            login = {"MasterUsername": "dbadmin", "MasterUserPassword": "not-a-secret-1"} if index == 0 else {}
            rds.create_db_cluster(DBClusterIdentifier=name, GlobalClusterIdentifier="orders-db", DeletionProtection=index != 1,
                                  Tags=tags(), **engine, **login)
            for number in range(2):
                rds.create_db_instance(DBInstanceIdentifier=f"{name}-{number}", DBInstanceClass="db.r6g.large",
                                       DBClusterIdentifier=name, Tags=tags(), **engine)
            rds.create_db_cluster(DBClusterIdentifier=f"their-{region}", MasterUsername="dbadmin",
                                  MasterUserPassword="not-a-secret-1", **engine)

    def tables(self):
        """Ours, tagged in each region as AWS keeps tags; and a neighbour's."""
        dynamodb = self.client("dynamodb")
        for name in ("Orders", "Theirs"):
            dynamodb.create_table(
                TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
                StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
            for region in REGIONS[1:]:
                dynamodb.update_table(TableName=name, ReplicaUpdates=[{"Create": {"RegionName": region}}])
        for region in REGIONS:
            here = self.client("dynamodb", region)
            here.tag_resource(ResourceArn=f"arn:aws:dynamodb:{region}:123456789012:table/Orders", Tags=tags())
            here.update_table(TableName="Orders", DeletionProtectionEnabled=True)

    def leases(self):
        names = ("pk", "sk")
        self.client("dynamodb", "us-west-2").create_table(
            TableName="switchtower-lease", BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"))],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names])


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--fake", choices=["moto", "ministack"], required=True)
    arguments.add_argument("--endpoint", required=True)
    arguments.add_argument("--drain", action="store_true")
    options = arguments.parse_args()
    estate = Estate(options.fake, options.endpoint)
    estate.drain() if options.drain else estate.lay()
