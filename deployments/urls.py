from __future__ import annotations

from django.urls import path

from deployments.views import access, bulk, catalog, entry, matrix, settings, undo

app_name = "deployments"

catalogue = [
    path("", catalog.deployment_list, name="list"),
    path("new/", catalog.deployment_create, name="create"),
    path("matrix/", matrix.matrix, name="matrix"),
    path("bulk/", bulk.change, name="bulk"),
    path("copy/", bulk.copy, name="copy"),
    path("<int:pk>/", catalog.deployment_detail, name="detail"),
    path("<int:pk>/change/", catalog.deployment_change, name="change"),
    path("<int:pk>/delete/", catalog.deployment_delete, name="delete"),
]

access_and_limits = [
    path("<int:pk>/access/", access.set_access, name="set-access"),
    path("<int:pk>/attach/", access.attach, name="attach"),
    path("<int:pk>/detach/", access.detach, name="detach"),
    path("<int:pk>/limit/", access.limit, name="limit"),
    path("undo/<int:pk>/", undo.undo, name="undo"),
]

as_json = [
    path("<int:pk>/json/", entry.of_deployment, name="json"),
    path("of-role/<int:pk>/json/", entry.of_role, name="role-json"),
    path("keys/<int:pk>/json/", entry.of_key, name="key-json"),
]

document = [
    path("keys/", settings.keys, name="keys"),
    path("checks/", settings.checks, name="checks"),
    path("checks/mend/", settings.mend, name="mend"),
    path("import/", settings.import_start, name="import"),
    path("import/<uuid:pk>/", settings.import_preview, name="import-preview"),
    path("export/", settings.export_page, name="export"),
    path("export/download/", settings.export_download, name="export-download"),
    path("export/version/", settings.set_version, name="set-version"),
]

urlpatterns = [*catalogue, *access_and_limits, *as_json, *document]
