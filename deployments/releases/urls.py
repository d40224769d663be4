from __future__ import annotations

from django.urls import path

from deployments.releases import target_views, views

app_name = "releases"

urlpatterns = [
    path("", views.release_list, name="list"),
    path("review/", views.review_page, name="review"),
    path("review/people/", views.people_page, name="people"),
    path("new/", views.make, name="make"),
    path("<int:number>/", views.release_detail, name="detail"),
    path("<int:number>/download/", views.download, name="download"),
    path("<int:number>/restore/", views.restore, name="restore"),
    path("<int:number>/publish/", target_views.publish, name="publish"),
    path("targets/", target_views.target_list, name="targets"),
    path("targets/check/", target_views.check, name="check"),
]
