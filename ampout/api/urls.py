"""Every route of the public API (contract: Resources), one list a resource.

Ids are plain text here: a text that is no UUID is answered like a missing object (`resources.Resource`).
"""

from django.urls import path

from ampout.api import api_keys, signup

account_routes = [
    path("signup", signup.Signup.as_view()),
    path("api_keys", api_keys.ApiKeys.as_view()),
    path("api_keys/<str:api_key_id>", api_keys.ApiKeyDetail.as_view()),
]

urlpatterns = [
    *account_routes,
]
