"""What routes are handed: the server's parts, typed."""

from typing import Annotated

from fastapi import Depends, Request

from dermacare.api.service import Service


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


ServiceOf = Annotated[Service, Depends(_service)]
