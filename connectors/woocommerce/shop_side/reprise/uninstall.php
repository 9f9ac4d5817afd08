<?php
/**
 * What the plugin kept goes with it; orders keep their own notes and meta.
 *
 * @package Reprise
 */

defined( 'WP_UNINSTALL_PLUGIN' ) || exit;

global $wpdb;

// phpcs:ignore WordPress.DB -- The table is ours.
$wpdb->query( "DROP TABLE IF EXISTS {$wpdb->prefix}reprise_outbox" );
delete_option( 'woocommerce_reprise_settings' );
delete_option( 'reprise_outbox' );
delete_transient( 'reprise_silent' );
delete_metadata( 'user', 0, '_reprise_cart', '', true );
delete_metadata( 'user', 0, '_reprise_consent', '', true );
