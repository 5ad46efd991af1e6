"""Every route of the public API (contract: Resources), one list a resource.

Ids are plain text here: a text that is no UUID is answered like a missing object (`resources.Resource`).
"""

from django.urls import path

from ampout.api import (
    account,
    api_keys,
    campaigns,
    contact_imports,
    contacts,
    enrollments,
    events,
    explain,
    messages,
    outreaches,
    provider_hooks,
    sequence_steps,
    signup,
    smtp_credentials,
    suppressions,
    usage,
    webhooks,
)

account_routes = [
    path("signup", signup.Signup.as_view()),
    path("account", account.AccountDetail.as_view()),
    path("usage", usage.UsageDetail.as_view()),
    path("api_keys", api_keys.ApiKeys.as_view()),
    path("api_keys/<str:api_key_id>", api_keys.ApiKeyDetail.as_view()),
]
import_routes = [
    path("contact_imports", contact_imports.ContactImports.as_view()),
    path("contact_imports/<str:contact_import_id>", contact_imports.ContactImportDetail.as_view()),
    path("contact_imports/<str:contact_import_id>/contacts", contact_imports.ContactImportContacts.as_view()),
]
contact_routes = [
    path("contacts", contacts.Contacts.as_view()),
    # Before the ids, which are any text.
    path("contacts/unsubscribe", contacts.UnsubscribeMany.as_view()),
    path("contacts/delete", contacts.DeleteMany.as_view()),
    path("contacts/<str:contact_id>", contacts.ContactDetail.as_view()),
    path("contacts/<str:contact_id>/unsubscribe", contacts.ContactUnsubscribe.as_view()),
    path("contacts/<str:contact_id>/export", contacts.ContactExport.as_view()),
    path("contacts/<str:contact_id>/erase", contacts.ContactErase.as_view()),
]
suppression_routes = [
    path("suppressions", suppressions.Suppressions.as_view()),
    path("suppressions/<str:suppression_id>", suppressions.SuppressionDetail.as_view()),
]
outreach_routes = [
    path("outreaches", outreaches.Outreaches.as_view()),
    path("outreaches/<str:outreach_id>", outreaches.OutreachDetail.as_view()),
]
campaign_routes = [
    path("campaigns", campaigns.Campaigns.as_view()),
    path("campaigns/<str:campaign_id>", campaigns.CampaignDetail.as_view()),
    path("campaigns/<str:campaign_id>/dispatch", campaigns.DispatchCampaign.as_view()),
    path("campaigns/<str:campaign_id>/pause", campaigns.PauseCampaign.as_view()),
    path("campaigns/<str:campaign_id>/resume", campaigns.ResumeCampaign.as_view()),
    path("campaigns/<str:campaign_id>/test_send", campaigns.TestSendCampaign.as_view()),
    path("campaigns/<str:campaign_id>/preview", campaigns.PreviewCampaign.as_view()),
]
step_routes = [
    path("campaigns/<str:campaign_id>/sequence_steps", sequence_steps.SequenceSteps.as_view()),
    path(
        "campaigns/<str:campaign_id>/sequence_steps/<str:sequence_step_id>",
        sequence_steps.SequenceStepDetail.as_view(),
    ),
]
_CREDENTIAL = "campaigns/<str:campaign_id>/smtp_credentials/<str:smtp_credential_id>"
credential_routes = [
    path("campaigns/<str:campaign_id>/smtp_credentials", smtp_credentials.SmtpCredentials.as_view()),
    path(_CREDENTIAL, smtp_credentials.SmtpCredentialDetail.as_view()),
    path(f"{_CREDENTIAL}/reenable", smtp_credentials.ReenableCredential.as_view()),
    path(f"{_CREDENTIAL}/check", smtp_credentials.CheckCredential.as_view()),
]
_HOOK = f"{_CREDENTIAL}/provider_hooks/<str:provider_hook_id>"
provider_hook_routes = [
    path(f"{_CREDENTIAL}/provider_hooks", provider_hooks.ProviderHooks.as_view()),
    path(_HOOK, provider_hooks.ProviderHookDetail.as_view()),
    path(f"{_HOOK}/rotate_secret", provider_hooks.RotateProviderHookSecret.as_view()),
]
enrollment_routes = [
    path("campaigns/<str:campaign_id>/enrollments", enrollments.Enrollments.as_view()),
    path("campaigns/<str:campaign_id>/enroll", enrollments.EnrollImport.as_view()),
    path("campaigns/<str:campaign_id>/enroll_contact", enrollments.EnrollContact.as_view()),
    path("campaigns/<str:campaign_id>/enroll_contacts", enrollments.EnrollContacts.as_view()),
]
explain_routes = [
    path("enrollments/<str:enrollment_id>/explain", explain.ExplainEnrollment.as_view()),
    path("campaigns/<str:campaign_id>/explain", explain.ExplainCampaign.as_view()),
    path("campaigns/<str:campaign_id>/forecast", explain.ForecastCampaign.as_view()),
]
message_routes = [
    path("messages", messages.Messages.as_view()),
    path("messages/<str:message_id>", messages.MessageDetail.as_view()),
    path("messages/<str:message_id>/resolve", messages.ResolveMessage.as_view()),
]
event_routes = [path("events", events.Events.as_view())]
_WEBHOOK = "webhooks/<str:webhook_id>"
webhook_routes = [
    path("webhooks", webhooks.Webhooks.as_view()),
    path(_WEBHOOK, webhooks.WebhookDetail.as_view()),
    path(f"{_WEBHOOK}/rotate_secret", webhooks.RotateWebhookSecret.as_view()),
    path(f"{_WEBHOOK}/deliveries", webhooks.WebhookDeliveries.as_view()),
    path(f"{_WEBHOOK}/deliveries/<str:delivery_id>/redeliver", webhooks.Redeliver.as_view()),
]

urlpatterns = [
    *account_routes,
    *import_routes,
    *contact_routes,
    *suppression_routes,
    *outreach_routes,
    *campaign_routes,
    *step_routes,
    *credential_routes,
    *provider_hook_routes,
    *enrollment_routes,
    *explain_routes,
    *message_routes,
    *event_routes,
    *webhook_routes,
]
