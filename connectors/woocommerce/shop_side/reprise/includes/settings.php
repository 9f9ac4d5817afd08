<?php
/**
 * WooCommerce > Settings > Integration > Reprise.
 *
 * @package Reprise
 */

namespace Reprise;

defined( 'ABSPATH' ) || exit;

/** The values of the connection that did not come with the download. */
final class Settings extends \WC_Integration {
	public function __construct() {
		$this->id                 = 'reprise';
		$this->method_title       = 'Reprise';
		$this->method_description = null === Connection::current()
			? __( 'Not connected. Download the plugin from the connect page of your Reprise, or copy what is missing from there.', 'reprise' )
			: __( 'Connected.', 'reprise' );
		$this->init_form_fields();
		$this->init_settings();
		add_action( "woocommerce_update_options_integration_$this->id", array( $this, 'process_admin_options' ) );
	}

	public function init_form_fields(): void {
		$fields            = array(
			'house'  => $this->field( __( 'Address of your Reprise', 'reprise' ), 'url' ),
			'shop'   => $this->field( __( 'Key of this shop', 'reprise' ), 'text' ),
			'hook'   => $this->field( __( 'Address for webhooks', 'reprise' ), 'url' ),
			'secret' => $this->field( __( 'Secret of the plugin', 'reprise' ), 'password' ),
		);
		$this->form_fields = array_diff_key( $fields, Connection::downloaded() );
	}

	private function field( string $title, string $type ): array {
		return array(
			'title'   => $title,
			'type'    => $type,
			'default' => '',
		);
	}
}
