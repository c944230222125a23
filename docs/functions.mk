# SPDX-License-Identifier: LGPL-2.1-or-later
# Man pages of the libraries' functions. Comes after docs/docs.mk.

# A page for each group of functions, named for its first, and for each other function a page that leads there.
function_pages = \
	docs/framekey_channel_new_from_fds.3 \
	docs/framekey_client_error.3 \
	docs/framekey_client_open.3 \
	docs/framekey_client_process.3 \
	docs/framekey_codec_name.3 \
	docs/framekey_encrypt.3 \
	docs/framekey_packet_encrypt.3 \
	docs/framekey_provider_new.3 \
	docs/framekey_reserve.3 \
	docs/framekey_session_activate.3 \
	docs/framekey_session_add_participant.3 \
	docs/framekey_session_export_wrapped.3 \
	docs/framekey_session_get_security_code.3 \
	docs/framekey_session_import_key.3 \
	docs/framekey_session_open.3 \
	docs/framekey_session_open_channel.3 \
	docs/framekey_session_set_handler.3 \
	docs/framekey_stream_get.3 \
	docs/framekey_trailer_append.3 \
	docs/framekey_transcrypt.3 \
	docs/framekey_verdict_name.3
function_sources = \
	docs/framekey_channel_new_from_fds.3.scd \
	docs/framekey_client_error.3.scd \
	docs/framekey_client_open.3.scd \
	docs/framekey_client_process.3.scd \
	docs/framekey_codec_name.3.scd \
	docs/framekey_encrypt.3.scd \
	docs/framekey_packet_encrypt.3.scd \
	docs/framekey_provider_new.3.scd \
	docs/framekey_reserve.3.scd \
	docs/framekey_session_activate.3.scd \
	docs/framekey_session_add_participant.3.scd \
	docs/framekey_session_export_wrapped.3.scd \
	docs/framekey_session_get_security_code.3.scd \
	docs/framekey_session_import_key.3.scd \
	docs/framekey_session_open.3.scd \
	docs/framekey_session_open_channel.3.scd \
	docs/framekey_session_set_handler.3.scd \
	docs/framekey_stream_get.3.scd \
	docs/framekey_trailer_append.3.scd \
	docs/framekey_transcrypt.3.scd \
	docs/framekey_verdict_name.3.scd
function_links = \
	docs/framekey_channel_free.3 \
	docs/framekey_channel_get_fd.3 \
	docs/framekey_client_attach_event.3 \
	docs/framekey_client_error_name.3 \
	docs/framekey_client_free.3 \
	docs/framekey_client_get_bus.3 \
	docs/framekey_client_import_credential.3 \
	docs/framekey_client_new_from_bus.3 \
	docs/framekey_client_note_error.3 \
	docs/framekey_client_set_timeout.3 \
	docs/framekey_codec_from_name.3 \
	docs/framekey_decrypt.3 \
	docs/framekey_direction_from_name.3 \
	docs/framekey_direction_name.3 \
	docs/framekey_flush.3 \
	docs/framekey_format_from_name.3 \
	docs/framekey_format_name.3 \
	docs/framekey_frame_type_from_name.3 \
	docs/framekey_frame_type_name.3 \
	docs/framekey_media_from_name.3 \
	docs/framekey_media_name.3 \
	docs/framekey_opened_max.3 \
	docs/framekey_packet_decrypt.3 \
	docs/framekey_provider_free.3 \
	docs/framekey_provider_ratchet.3 \
	docs/framekey_provider_set_key.3 \
	docs/framekey_provider_set_passphrase.3 \
	docs/framekey_provider_set_rotate_handler.3 \
	docs/framekey_reap.3 \
	docs/framekey_release.3 \
	docs/framekey_sealed_max.3 \
	docs/framekey_session_add_stream.3 \
	docs/framekey_session_allow_unencrypted.3 \
	docs/framekey_session_attach.3 \
	docs/framekey_session_close.3 \
	docs/framekey_session_close_channel.3 \
	docs/framekey_session_free.3 \
	docs/framekey_session_generate_key.3 \
	docs/framekey_session_get_client.3 \
	docs/framekey_session_get_id.3 \
	docs/framekey_session_get_path.3 \
	docs/framekey_session_get_transport_key.3 \
	docs/framekey_session_import_key_fd.3 \
	docs/framekey_session_import_wrapped.3 \
	docs/framekey_session_join.3 \
	docs/framekey_session_leave.3 \
	docs/framekey_session_open_channel_fds.3 \
	docs/framekey_session_ratchet.3 \
	docs/framekey_session_remove_participant.3 \
	docs/framekey_session_remove_stream.3 \
	docs/framekey_session_retire_key.3 \
	docs/framekey_session_rotate.3 \
	docs/framekey_session_set_ratchet.3 \
	docs/framekey_submit.3 \
	docs/framekey_take.3 \
	docs/framekey_trailer_strip.3 \
	docs/framekey_verdict_delivers.3 \
	docs/framekey_verdict_text.3
dist_man_MANS += $(function_pages) $(function_links)
EXTRA_DIST += $(function_sources)
MAINTAINERCLEANFILES += $(function_pages) $(function_links)

$(function_pages): $(function_sources)
	$(AM_V_GEN)$(MKDIR_P) docs && name=`basename $@` && \
	if $(SCDOC) <$(srcdir)/docs/$$name.scd >$@.new; then mv $@.new $@; else \
	rm -f $@.new; echo 'man pages are made with scdoc (package scdoc); release archives carry them' >&2; exit 1; fi

# The page under whose NAME the function stands.
$(function_links): $(function_sources)
	$(AM_V_GEN)$(MKDIR_P) docs && name=`basename $@ .3` && \
	page=`cd $(srcdir)/docs && grep -lE "^framekey_.*, $$name(,.*)? - " framekey_*.3.scd` && \
	echo ".so man3/`basename $$page .scd`" >$@.new && mv $@.new $@

dist_check_SCRIPTS += tests/docs/test-library-pages.sh
TESTS += tests/docs/test-library-pages.sh
EXTRA_DIST += tests/docs/library-pages.py
