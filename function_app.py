"""The function app: one DFApp with the blueprints of orchestrators, activities and triggers."""

import azure.durable_functions as df

import activities.registry
import orchestrators.blueprint
import triggers.events
import triggers.http.decisions
import triggers.http.gate
import triggers.http.not_available
import triggers.http.queries
import triggers.http.service
import triggers.http.start
import triggers.timers

app = df.DFApp(http_auth_level=triggers.http.gate.host_level())
for blueprint in (
    orchestrators.blueprint.bp,
    activities.registry.bp,
    triggers.http.start.bp,
    triggers.http.queries.bp,
    triggers.http.decisions.bp,
    triggers.http.not_available.bp,
    triggers.http.service.bp,
    triggers.events.bp,
    triggers.timers.bp,
):
    app.register_functions(blueprint)
