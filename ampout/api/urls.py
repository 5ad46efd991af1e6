"""Every route of the public API (contract: Resources), one list a resource.

Ids are plain text here: a text that is no UUID is answered like a missing object (`resources.Resource`).
"""

from django.urls import path

from ampout.api import account, api_keys, contacts, signup, suppressions

account_routes = [
    path("signup", signup.Signup.as_view()),
    path("account", account.AccountDetail.as_view()),
    path("api_keys", api_keys.ApiKeys.as_view()),
    path("api_keys/<str:api_key_id>", api_keys.ApiKeyDetail.as_view()),
]
contact_routes = [
    path("contacts", contacts.Contacts.as_view()),
    path("contacts/<str:contact_id>", contacts.ContactDetail.as_view()),
    path("contacts/<str:contact_id>/unsubscribe", contacts.ContactUnsubscribe.as_view()),
    path("contacts/<str:contact_id>/export", contacts.ContactExport.as_view()),
    path("contacts/<str:contact_id>/erase", contacts.ContactErase.as_view()),
]
suppression_routes = [
    path("suppressions", suppressions.Suppressions.as_view()),
    path("suppressions/<str:suppression_id>", suppressions.SuppressionDetail.as_view()),
]

urlpatterns = [
    *account_routes,
    *contact_routes,
    *suppression_routes,
]
