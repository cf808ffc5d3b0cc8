"""The function app: one DFApp with the blueprints of orchestrators, activities and triggers."""

import azure.durable_functions as df
import azure.functions as func

import activities.blueprint
import orchestrators.blueprint
import triggers.events
import triggers.http_decisions
import triggers.http_later
import triggers.http_operations
import triggers.http_service
import triggers.http_start
import triggers.timers

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)
for blueprint in (
    orchestrators.blueprint.bp,
    activities.blueprint.bp,
    triggers.http_start.bp,
    triggers.http_operations.bp,
    triggers.http_decisions.bp,
    triggers.http_later.bp,
    triggers.http_service.bp,
    triggers.events.bp,
    triggers.timers.bp,
):
    app.register_functions(blueprint)
