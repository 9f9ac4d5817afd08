<?php
/**
 * A shop with the plugin: takes steps as JSON from a file, and prints what each gave, as JSON.
 * Usage: php shop.php <folder of the plugin> <file with the steps>
 */

error_reporting( E_ALL );
set_error_handler(
	static function ( $kind, $words, $file, $line ) {
		throw new ErrorException( $words, 0, $kind, $file, $line );
	}
);
require __DIR__ . '/wordpress.php';
require __DIR__ . '/woocommerce.php';

/** The steps of a story, each a method; what it returns is printed. */
final class Steps {
	public function connect( array $settings ) {
		Stage::$options['woocommerce_reprise_settings'] = $settings;
	}
	public function set( string $name, $value ) {
		Stage::$options[ $name ] = $value;
	}
	public function start( string $folder ) {
		require "$folder/reprise.php";
		do_action( 'plugins_loaded' );
		do_action( 'init' );
		do_action( 'woocommerce_init' );
	}
	public function sign_in( string $email ) {
		Stage::$user  = 7;
		Stage::$email = $email;
	}
	/** A guest's session of another device: the user's own, from before, is what he finds there. */
	public function other_session() {
		WC()->session->data = array();
	}
	public function hold( array $lines ) {
		WC()->cart->hold( $lines );
	}
	public function tick( bool $granted, string $email ) {
		\Reprise\Consent::record( $granted, $email, 'checkout' );
	}
	/** The classic checkout: the form is sent, the order made. */
	public function order( int $id, array $form ) {
		$order        = new WC_Order( $id );
		$order->items = array_map( static fn( $item ) => new WC_Order_Item_Product( $item ), WC()->cart->items );
		$order->total = WC()->cart->get_total( 'edit' );
		do_action( 'woocommerce_checkout_create_order', $order, $form );
		do_action( 'woocommerce_checkout_order_processed', $id );
		return $order->meta;
	}
	/** The block checkout: a draft is made, and the box is written to it. */
	public function block_order( int $id, bool $granted ) {
		$order        = new WC_Order( $id );
		$order->items = array_map( static fn( $item ) => new WC_Order_Item_Product( $item ), WC()->cart->items );
		$order->total = WC()->cart->get_total( 'edit' );
		do_action( 'woocommerce_store_api_checkout_update_order_meta', $order );
		do_action( 'woocommerce_set_additional_field_value', 'reprise/reminders', $granted, 'other', $order );
		return $order->meta;
	}
	/** Some gateways say why before they set the status, some after. */
	public function decline( int $id, string $before, string $after ) {
		$order          = wc_get_order( $id );
		$order->notes[] = $before;
		$order->become( 'failed' );
		$order->notes[] = $after;
	}
	public function meta( int $id, string $key, $value ) {
		wc_get_order( $id )->meta[ $key ] = $value;
	}
	public function metas( int $id ) {
		return wc_get_order( $id )->meta;
	}
	public function pay( int $id ) {
		wc_get_order( $id )->become( 'processing' );
		WC()->cart->hold( array() );
	}
	/** The page is done; the next one begins. */
	public function page() {
		do_action( 'shutdown' );
		Stage::$done = array();
		return array( 'waiting' => count( $GLOBALS['wpdb']->rows ), 'scheduled' => Stage::$scheduled );
	}
	public function answer( int $status ) {
		Stage::$answer = $status;
	}
	/** The shop's queue runs. */
	public function deliver() {
		Stage::$requests = array();
		do_action( 'reprise_deliver' );
		return Stage::$requests;
	}
	public function waiting() {
		return array_values( $GLOBALS['wpdb']->rows );
	}
	public function log() {
		return Stage::$log;
	}
	public function later( int $seconds ) {
		foreach ( $GLOBALS['wpdb']->rows as &$row ) {
			$row['due_at'] -= $seconds;
		}
	}
	public function ask( array $query ) {
		$_GET                      = $query;
		$_SERVER['REQUEST_METHOD'] = 'GET';
		return self::ended( static fn() => do_action( 'wc_ajax_reprise_basket' ) );
	}
	public function open_plan( array $query ) {
		$_GET = $query;
		return self::ended( static fn() => do_action( 'woocommerce_api_reprise_plan' ) );
	}
	public function shown( string $hook, ...$given ) {
		$given = array_map( static fn( $value ) => is_array( $value ) ? wc_get_order( $value['order'] ) : $value, $given );
		ob_start();
		do_action( $hook, ...$given );
		return ob_get_clean();
	}
	public function filtered( string $filter, ...$given ) {
		return apply_filters( $filter, ...$given );
	}
	/** WooCommerce writes the box of the account's details to the customer. */
	public function saves_account( bool $granted ) {
		do_action( 'woocommerce_set_additional_field_value', 'reprise/reminders', $granted, 'other', WC()->customer );
	}
	public function export( string $email ) {
		return apply_filters( 'wp_privacy_personal_data_exporters', array() )['reprise']['callback']( $email, 1 );
	}
	public function erase( string $email ) {
		return apply_filters( 'wp_privacy_personal_data_erasers', array() )['reprise']['callback']( $email, 1 );
	}
	private static function ended( callable $work ) {
		try {
			$work();
		} catch ( Ended $ended ) {
			return $ended->answer;
		}
		return null;
	}
}

$steps = new Steps();
$given = array();
list( , $plugin, $file ) = $argv;
if ( ! is_dir( ABSPATH . 'wp-admin/includes' ) ) {
	mkdir( ABSPATH . 'wp-admin/includes', 0700, true );
}
touch( ABSPATH . 'wp-admin/includes/upgrade.php' );
foreach ( json_decode( file_get_contents( $file ), true ) as $step ) {
	$name    = array_shift( $step );
	$given[] = 'start' === $name ? $steps->start( $plugin ) : $steps->$name( ...$step );
}
echo json_encode( $given, JSON_PARTIAL_OUTPUT_ON_ERROR );
