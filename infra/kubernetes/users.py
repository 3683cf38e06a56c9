"""Make the cluster's two users in MLflow, where they are not there yet: `steps`, who logs runs, registers versions and moves
aliases as the ledger says, and `serve`, who reads. Their passwords are those in the secrets dermacare-tracking and dermacare-serve.

    kubectl -n dermacare exec -i deployment/mlflow -- env STEPS_PASSWORD=… SERVE_PASSWORD=… python - < infra/kubernetes/users.py

It runs where MLflow does, as the admin of its first start; what each role may do: docs/tracking-server.md.
"""

import os

os.environ["MLFLOW_TRACKING_USERNAME"] = os.environ["MLFLOW_AUTH_ADMIN_USERNAME"]
os.environ["MLFLOW_TRACKING_PASSWORD"] = os.environ["MLFLOW_AUTH_ADMIN_PASSWORD"]

from mlflow.exceptions import MlflowException
from mlflow.server import get_app_client

ROLES = {
    "engineer": {"workspace": "USE", "experiment": "EDIT", "run": "MANAGE", "registered_model": "EDIT"},
    "promoter": {"registered_model": "MANAGE"},
}

users = get_app_client("basic-auth", os.environ.get("MLFLOW_TRACKING_URI", "http://127.0.0.1:8080"))
roles = {role.name: role for role in users.list_roles("default")}
for name, permissions in ROLES.items():
    if name not in roles:
        roles[name] = users.create_role("default", name)
        for kind, may in permissions.items():
            users.add_role_permission(roles[name].id, kind, "*", may)

for name, own in (("steps", ("engineer", "promoter")), ("serve", ())):
    try:
        users.get_user(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        users.create_user(name, os.environ[f"{name.upper()}_PASSWORD"])
        for role in own:
            users.assign_role(name, roles[role].id)
    print(f"{name}: is there")
