"""What ``doctor`` finds out about Docker, for those who use the compose engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from streamdev.cli.checks import Finding
from streamdev.cli.context import Context
from streamdev.engine import images
from streamdev.engine.compose_command import NoComposeError, find_compose
from streamdev.engine.compose_files import volume_name
from streamdev.engine.container import EngineContainer, engines, publisher_of
from streamdev.engine.docker_client import DockerUnavailableError, connected, docker_host
from streamdev.errors import InvalidInputError, StreamdevError

ONLY_COMPOSE = "Only --engine compose needs it."


def docker_findings(ctx: Context) -> Iterator[Finding]:
    """The daemon, Compose and LocalStack's image; the image is not pulled."""
    try:
        with connected(ctx.environ) as client:
            version = client.version()["Version"]
            image = _image(ctx, images.find_image(client, ctx.environ))
            known = engines(client)
    except DockerUnavailableError as error:
        yield Finding("Docker", "warn", error.reason, f"{ONLY_COMPOSE} {error.hint}")
        return
    except InvalidInputError as error:
        yield Finding("Image", "warn", error.message, error.hint)
        return
    except StreamdevError as error:
        yield Finding("Docker", "warn", error.message, error.hint)
        return
    yield Finding("Docker", "ok", f"{version} at {docker_host(ctx.environ)}")
    try:
        yield Finding("Compose", "ok", str(find_compose(ctx.environ)))
    except NoComposeError as error:
        yield Finding("Compose", "warn", error.message, f"{ONLY_COMPOSE} {error.hint}")
    yield image
    yield from _orphans(known)


def container_on(ctx: Context, port: int) -> str | None:
    """The container that publishes ``port``, and whose engine it is; ``None`` if none does."""
    try:
        with connected(ctx.environ) as client:
            name = publisher_of(client, port, but_not="")
            known = engines(client)
    except StreamdevError:
        return None
    if name is None:
        return None
    of = [f" (the engine of {each.checkout})" for each in known if each.name == name]
    return "".join([f"the container {name}", *of])


def _orphans(known: Iterable[EngineContainer]) -> Iterator[Finding]:
    """Engines whose checkout is gone, so that no ``down`` can reach them."""
    for each in known:
        if not each.checkout.exists():
            yield Finding(
                "Orphans",
                "warn",
                f"the container {each.name} of {each.checkout}, which is gone",
                f"Remove it: docker rm --force {each.name}    "
                f"Its data: docker volume rm {volume_name(each.project)}",
            )


def _image(ctx: Context, image: images.Image | None) -> Finding:
    if image is None:
        name = images.asked_for(ctx.environ) or images.OFFICIAL
        cure = f"{ONLY_COMPOSE} It is pulled at the first up; make image builds one here."
        return Finding("Image", "warn", f"{name} is not here", cure)
    if image.version and image.version != images.VERSION:
        found = f"{image.name} is LocalStack {image.version}"
        return Finding("Image", "warn", found, f"The plugins are made for {images.VERSION}.")
    return Finding("Image", "ok", image.name)
