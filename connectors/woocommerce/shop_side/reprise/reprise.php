<?php
/**
 * Plugin Name:          Reprise for WooCommerce
 * Description:          Tells your Reprise about baskets, consent and declined payments, and shows the payment plans it offers.
 * Version:              0.1.0
 * Requires at least:    6.5
 * Requires PHP:         7.4
 * Requires Plugins:     woocommerce
 * WC requires at least: 8.9
 * License:              Apache-2.0
 * License URI:          https://www.apache.org/licenses/LICENSE-2.0
 * Text Domain:          reprise
 * Domain Path:          /languages
 *
 * @package Reprise
 */

namespace Reprise;

defined( 'ABSPATH' ) || exit;

const VERSION = '0.1.0';
const MAIN    = __FILE__;

foreach ( array( 'connection', 'outbox', 'basket', 'consent', 'decline', 'page', 'account', 'privacy' ) as $part ) {
	require_once __DIR__ . "/includes/$part.php";
}

register_deactivation_hook( __FILE__, array( Outbox::class, 'rest' ) );

add_action( 'before_woocommerce_init', __NAMESPACE__ . '\\declare_compatibility' );
add_action( 'plugins_loaded', __NAMESPACE__ . '\\start', 20 );

/** Orders in tables of their own and the block checkout are both supported: nothing here reads orders as posts. */
function declare_compatibility(): void {
	if ( class_exists( '\Automattic\WooCommerce\Utilities\FeaturesUtil' ) ) {
		foreach ( array( 'custom_order_tables', 'cart_checkout_blocks' ) as $feature ) {
			\Automattic\WooCommerce\Utilities\FeaturesUtil::declare_compatibility( $feature, MAIN, true );
		}
	}
}

/** Without WooCommerce there is nothing to do, and without a connection nobody to tell: then only the settings are there. */
function start(): void {
	if ( ! class_exists( 'WooCommerce' ) ) {
		return;
	}
	// Before WooCommerce's own init, at which the box of the block checkout gets its words.
	add_action( 'init', __NAMESPACE__ . '\\load_languages', -10 );
	add_filter( 'woocommerce_integrations', __NAMESPACE__ . '\\add_settings' );
	Privacy::start();
	if ( null === Connection::current() ) {
		return;
	}
	Outbox::start();
	Consent::start();
	Decline::start();
	Basket::start();
	Page::start();
	Account::start();
}

function load_languages(): void {
	load_plugin_textdomain( 'reprise', false, dirname( plugin_basename( MAIN ) ) . '/languages' );
}

/**
 * WooCommerce > Settings > Integration > Reprise. The class is loaded here: the one it extends is not there before.
 *
 * @param string[] $integrations Class names.
 * @return string[]
 */
function add_settings( array $integrations ): array {
	require_once __DIR__ . '/includes/settings.php';
	$integrations[] = Settings::class;
	return $integrations;
}
