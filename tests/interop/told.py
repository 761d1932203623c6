"""Says what there is in a fake AWS, one line a thing, sorted.

    told.py --fake moto|ministack --endpoint URL REGION...

What it is for: comparing a world before and after a run, in another program's words than ours.
What it must not do: tell an id that the fake makes up, so that two worlds laid alike are told alike.
"""
import argparse

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError


class Teller:
    def __init__(self, fake, endpoint):
        self.fake, self.endpoint, self.lines = fake, endpoint, []

    def client(self, service, region):
        return boto3.client(
            service, region_name=region, endpoint_url=self.endpoint, aws_access_key_id="told", aws_secret_access_key="told",
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}))

    def tell(self, regions):
        for region in regions:
            say = lambda kind, name: self.lines.append(f"{region} {kind} {name}")
            self.serving(region, say)
            self.databases(region, say)
            self.tables(region, say)
            if self.fake == "moto":
                self.scaling(region, say)
                self.watching(region, say)
                self.networks(region, say)
                self.buckets(region, say)
        self.clusters(regions[0])
        self.zones(regions[0])
        return sorted(self.lines)

    def serving(self, region, say):
        elb, ecs = self.client("elbv2", region), self.client("ecs", region)
        for balancer in elb.describe_load_balancers()["LoadBalancers"]:
            say("balancer", balancer["LoadBalancerName"])
        for group in elb.describe_target_groups()["TargetGroups"]:
            say("group", group["TargetGroupName"])
        for cluster in ecs.describe_clusters(clusters=ecs.list_clusters()["clusterArns"] or ["none"])["clusters"]:
            name = cluster["clusterName"]
            if cluster["status"] != "INACTIVE":
                say("cluster", name)
            # What is deleted stays listed for a while, as INACTIVE.
            services = ecs.list_services(cluster=name)["serviceArns"]
            for service in ecs.describe_services(cluster=name, services=services)["services"] if services else []:
                if service["status"] == "ACTIVE":
                    say("service", f"{name}/{service['serviceName']} desired {service['desiredCount']}")
        for definition in ecs.list_task_definitions(status="ACTIVE")["taskDefinitionArns"]:
            say("definition", definition.split("/")[-1])

    def databases(self, region, say):
        rds = self.client("rds", region)
        for cluster in rds.describe_db_clusters()["DBClusters"]:
            say("database", f"{cluster['DBClusterIdentifier']} {len(cluster['DBClusterMembers'])} instances")
        for instance in rds.describe_db_instances()["DBInstances"]:
            say("instance", instance["DBInstanceIdentifier"])
        for snapshot in rds.describe_db_cluster_snapshots()["DBClusterSnapshots"]:
            say("snapshot", snapshot["DBClusterSnapshotIdentifier"].rpartition("-final-")[0])

    def clusters(self, region):
        for cluster in self.client("rds", region).describe_global_clusters()["GlobalClusters"]:
            writers = {True: "writer", False: "reader"}
            members = sorted(f"{member['DBClusterArn'].split(':')[-1]} {writers[member['IsWriter']]}"
                             for member in cluster["GlobalClusterMembers"])
            self.lines.append(f"global cluster {cluster['GlobalClusterIdentifier']}: {', '.join(members)}")

    def tables(self, region, say):
        dynamodb = self.client("dynamodb", region)
        for table in dynamodb.list_tables()["TableNames"]:
            replicas = dynamodb.describe_table(TableName=table)["Table"].get("Replicas", [])
            say("table", " ".join([table, *sorted(replica["RegionName"] for replica in replicas)]))

    def scaling(self, region, say):
        scaling = self.client("application-autoscaling", region)
        for target in scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]:
            suspended = sorted(name for name, on in target.get("SuspendedState", {}).items() if on)
            limits = f"{target['MinCapacity']} to {target['MaxCapacity']}"
            say("scaling", " ".join([target["ResourceId"], limits, *suspended]))

    def watching(self, region, say):
        for alarm in self.client("cloudwatch", region).describe_alarms()["MetricAlarms"]:
            say("alarm", alarm["AlarmName"])
        for topic in self.client("sns", region).list_topics()["Topics"]:
            say("topic", topic["TopicArn"].split(":")[-1])

    def networks(self, region, say):
        stacks = self.client("cloudformation", region).list_stacks(StackStatusFilter=["CREATE_COMPLETE"])
        for stack in stacks["StackSummaries"]:
            say("stack", stack["StackName"])

    def buckets(self, region, say):
        s3 = self.client("s3", region)
        for bucket in s3.list_buckets()["Buckets"]:
            if not bucket["Name"].endswith(region):
                continue
            versions = s3.list_object_versions(Bucket=bucket["Name"])
            count = len(versions.get("Versions", [])) + len(versions.get("DeleteMarkers", []))
            try:
                rules = s3.get_bucket_replication(Bucket=bucket["Name"])["ReplicationConfiguration"]["Rules"]
            except ClientError:
                rules = []
            say("bucket", f"{bucket['Name']} {count} versions, {len(rules)} rules")

    def zones(self, region):
        route53, checks = self.client("route53", region), {}
        # ministack writes its checks' booleans as Python does, which nobody can read.
        for check in route53.list_health_checks()["HealthChecks"] if self.fake == "moto" else []:
            config = check["HealthCheckConfig"]
            checks[check["Id"]] = config["FullyQualifiedDomainName"]
            flags = [name for name in ("Disabled", "Inverted") if config.get(name)]
            self.lines.append(" ".join(["zone check", config["FullyQualifiedDomainName"], *flags]))
        for zone in route53.list_hosted_zones()["HostedZones"]:
            self.lines.append(f"zone {zone['Name']}")
            for record in route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]:
                if record["Type"] not in ("NS", "SOA"):
                    leads = record.get("AliasTarget", {}).get("DNSName", "-").split("-")[0]
                    check = checks.get(record.get("HealthCheckId"), record.get("HealthCheckId", "no check"))
                    words = [record["Name"], record["Type"], record.get("SetIdentifier", "-"), record.get("Region", "-"), leads, check]
                    self.lines.append("zone record " + " ".join(words))


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--fake", choices=["moto", "ministack"], required=True)
    arguments.add_argument("--endpoint", required=True)
    arguments.add_argument("regions", nargs="+")
    options = arguments.parse_args()
    print("\n".join(Teller(options.fake, options.endpoint).tell(options.regions)))
