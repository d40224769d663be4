from __future__ import annotations

from django.urls import path

from dialadmin.accounts import token_views, views

app_name = "accounts"

urlpatterns = [
    path("sign-in/", views.SignIn.as_view(), name="sign-in"),
    path("callback/", views.Callback.as_view(), name="callback"),
    path("failed/", views.failed, name="failed"),
    path("signed-out/", views.signed_out, name="signed-out"),
    path("sign-out/", views.sign_out, name="sign-out"),
    path("me/", views.me, name="me"),
    path("tokens/", token_views.tokens, name="tokens"),
    path("tokens/<int:pk>/revoke/", token_views.revoke, name="token-revoke"),
]
