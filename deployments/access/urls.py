from __future__ import annotations

from django.urls import URLPattern, path

from deployments.access.views import downloads, pictures, questions, reviews, why

app_name = "access"

the_questions = [
    path("", questions.overview, name="overview"),
    path("deployment/", questions.deployment, name="deployment"),
    path("users/<int:pk>/", questions.user, name="user"),
    path("roles/<int:pk>/", questions.role, name="role"),
    path("key/", questions.key, name="key"),
    path("matrix/", questions.matrix, name="matrix"),
    path("nothing/", questions.nothing, name="nothing"),
    path("loose-ends/", questions.loose_ends, name="loose-ends"),
    path("compare/", questions.compare, name="compare"),
]

in_pictures = [
    path("pictures/", pictures.overview, name="pictures"),
    path("pictures/<int:pk>/", pictures.of_deployment, name="pictures-of"),
]

answers = [
    path("download/", downloads.download, name="download"),
]

explanations = [
    path("why/", why.page, name="why"),
    path("why/token/", why.credential, name="credential"),
]

access_reviews = [
    path("reviews/", reviews.review_list, name="reviews"),
    path("reviews/new/", reviews.review_create, name="review-create"),
    path("reviews/<int:pk>/", reviews.review_detail, name="review"),
    path("reviews/<int:pk>/decide/", reviews.decide, name="review-decide"),
    path("reviews/<int:pk>/close/", reviews.close, name="review-close"),
    path("reviews/<int:pk>/discard/", reviews.discard, name="review-discard"),
    path("reviews/<int:pk>/report/", reviews.report, name="review-report"),
    path("reviews/<int:pk>/report.csv", reviews.report_csv, name="review-csv"),
    path("reviews/<int:pk>/removals/", reviews.removals, name="review-removals"),
    path("reviews/<int:pk>/removals/apply/", reviews.apply, name="review-apply"),
]

urlpatterns: list[URLPattern] = [*the_questions, *in_pictures, *answers, *explanations, *access_reviews]
